//! Holds a weight file against a net, strictly, and reads what matches.

use super::error::WeightsError;
use super::file::WeightFile;
use super::load_report::LoadReport;
use super::matching::{self, Matching, fits, in_head, is_replaced, may_be_missing};
use super::put_in;
use super::{Take, adapt, layout, wildcard};
use crate::backbones::Arch;
use crate::net::{Graph, ParamId};
use crate::spec::Allow;
use std::collections::HashSet;
use std::path::Path;

/// Beyond this many gaps the nearest names are not looked for: it is the wrong file.
const MOST_HINTS: usize = 16;

/// Holds a weight file against a net. The stage `head` and layers that a spec put into the backbone
/// may be missing from the file, and tensors of layers that it replaced may be left over.
pub fn report(file: &Path, graph: &Graph, arch: Option<Arch>, allow: &Allow) -> Result<LoadReport, WeightsError> {
    report_of(file, graph, arch, allow, &Take::default())
}

/// As [`report`], of those tensors that `take` takes.
pub fn report_of(
    path: &Path,
    graph: &Graph,
    arch: Option<Arch>,
    allow: &Allow,
    take: &Take,
) -> Result<LoadReport, WeightsError> {
    let file = WeightFile::open(path)?;
    let matching = matching::best(&file, graph, arch, take);
    let (names, file) = (matching.label.to_owned(), path.to_owned());
    let mut report = LoadReport { file, names, ..LoadReport::default() };
    assign(&mut report, &matching, graph, take);
    judge(&mut report, &matching, graph, allow);
    Ok(report)
}

/// Reads the values of all matched parameters, in memory order.
pub fn read(file: &Path, graph: &Graph, report: &LoadReport) -> Result<Vec<(ParamId, Vec<f32>)>, WeightsError> {
    let mut open = WeightFile::open(file)?;
    let mut values = Vec::with_capacity(report.matched.len());
    for (param, name) in &report.matched {
        let mut stored = open.read(name)?;
        if let Some(adapted) = report.adapted.iter().find(|adapted| adapted.param == *param) {
            let window = graph.params.get(*param).map(|param| param.def.dims.iter().take(2).product());
            stored = adapt::values(*adapted, &stored, window.unwrap_or(0));
        }
        match graph.params.get(*param).filter(|param| param.def.count() == stored.len()) {
            Some(found) => values.push((*param, layout::to_memory(&found.def, &stored))),
            None => return Err(WeightsError::at(file, format!("`{name}` is not what it was when it was looked at"))),
        }
    }
    Ok(values)
}

/// Sorts parameters and tensors into matched, missing, unexpected and of another shape.
fn assign(report: &mut LoadReport, matching: &Matching, graph: &Graph, take: &Take) {
    let mut taken = HashSet::new();
    let mut classifier = Vec::new();
    for (id, param) in graph.params.iter().enumerate() {
        let dims = layout::file_dims(&param.def);
        // What replaces a layer has its names, but need not have its shapes.
        let adapted = |file: &[usize]| adapt::plan(graph, id, &dims, file, take.adapt?);
        let of_it = |file: &[usize]| !is_replaced(graph, id) || fits(&dims, file) || adapted(file).is_some();
        let source = matching.source(&param.name);
        let source = source.filter(|(_, stored)| stored.dtype.is_float() && of_it(&stored.dims));
        report.total += usize::from(source.is_some() || !may_be_missing(graph, id));
        match source {
            Some((name, stored)) => {
                taken.insert(name);
                if let Some(adapted) = adapted(&stored.dims) {
                    let adapt::Adapted { from, to, how, .. } = adapted;
                    let by = how.name();
                    report.notes.push(format!("{}: adapted from {from} to {to} channels by {by}", param.name));
                    report.adapted.push(adapted);
                } else if !fits(&dims, &stored.dims) {
                    report.wrong_shape.push((param.name.clone(), dims, stored.dims.clone()));
                    continue;
                }
                report.matched.push((id, name.to_owned()));
                if in_head(graph, id) && name != param.name {
                    classifier.push(format!("`{name}`"));
                }
            }
            None if may_be_missing(graph, id) => {}
            None => report.missing.push(param.name.clone()),
        }
    }
    if !classifier.is_empty() {
        report.notes.push(format!("the head starts from the file's classifier: {}", classifier.join(", ")));
    }
    let left = matching.stored.keys().filter(|name| !taken.contains(name.as_str())).cloned();
    let (cut_off, left): (Vec<String>, Vec<String>) = left.partition(|name| matching.is_cut_off(name, graph));
    report.cut_off = cut_off.len();
    let (replaced, unexpected) = left.into_iter().partition(|name| put_in::is_of_replaced(name, matching, graph));
    report.unexpected = unexpected;
    report.notes.extend(put_in::notes(&report.matched, replaced, matching, graph));
}

/// Says which gaps `allow` does not let pass, and which of its patterns let nothing pass.
fn judge(report: &mut LoadReport, matching: &Matching, graph: &Graph, allow: &Allow) {
    let mut allowed = [
        Allowance::new("missing", &allow.missing),
        Allowance::new("unexpected", &allow.unexpected),
        Allowance::new("shape", &allow.shape),
    ];
    let [missing, unexpected, shape] = &mut allowed;
    let mut refused = Vec::new();
    if report.matched.is_empty() && report.wrong_shape.is_empty() && !allow.missing.iter().any(|pattern| pattern == "*")
    {
        refused.push(nothing_fits(report, matching, graph));
    } else {
        let hints = report.missing.len() <= MOST_HINTS;
        let gaps = report.missing.iter().filter(|name| !missing.lets_pass(&[name]));
        refused.extend(gaps.map(|name| match hint(name, report, matching, graph).filter(|_| hints) {
            Some(hint) => format!("`{name}` is missing from the file: {hint}"),
            None => format!("`{name}` is missing from the file"),
        }));
        let ours = |name: &String| matching.stored.get(name).and_then(|stored| stored.ours.as_ref());
        let gaps = report.unexpected.iter().filter(|name| match ours(name) {
            Some(ours) => !unexpected.lets_pass(&[name, ours]),
            None => !unexpected.lets_pass(&[name]),
        });
        refused.extend(gaps.map(|name| format!("`{name}` of the file is not in the net")));
        let gaps = report.wrong_shape.iter().filter(|(name, ..)| !shape.lets_pass(&[name]));
        refused.extend(
            gaps.map(|(name, net, file)| {
                format!("`{name}` is {} in the net, but {} in the file", text(net), text(file))
            }),
        );
        report.notes.extend(allowed.iter().flat_map(Allowance::notes));
    }
    report.allowed = allowed.map(Allowance::used);
    report.refused = refused;
}

/// The patterns of one kind of gap, and which of them were needed.
struct Allowance<'a> {
    key: &'static str,
    patterns: Vec<(&'a String, bool)>,
}

impl<'a> Allowance<'a> {
    fn new(key: &'static str, patterns: &'a [String]) -> Self {
        Allowance { key, patterns: patterns.iter().map(|pattern| (pattern, false)).collect() }
    }

    fn lets_pass(&mut self, names: &[&String]) -> bool {
        let mut passes = false;
        for (pattern, used) in &mut self.patterns {
            if names.iter().any(|name| wildcard::matches(pattern, name)) {
                (*used, passes) = (true, true);
            }
        }
        passes
    }

    fn notes(&self) -> impl Iterator<Item = String> {
        let unused = self.patterns.iter().filter(|(_, used)| !used);
        unused.map(|(pattern, _)| format!("allow.{}: `{pattern}` matches no such gap, and may go", self.key))
    }

    fn used(self) -> Vec<String> {
        self.patterns.into_iter().filter(|(_, used)| *used).map(|(pattern, _)| pattern.clone()).collect()
    }
}

/// Why a parameter may be missing: its tensor is no float, or has a name that is nearly right.
fn hint(missing: &str, report: &LoadReport, matching: &Matching, graph: &Graph) -> Option<String> {
    if let Some((name, stored)) = matching.source(missing) {
        return Some(format!("its `{name}` holds {}, not floats", stored.dtype));
    }
    let param = graph.params.iter().find(|param| param.name == missing)?;
    let dims = layout::file_dims(&param.def);
    let candidates = report.unexpected.iter().filter_map(|name| {
        let stored = matching.stored.get(name).filter(|stored| fits(&dims, &stored.dims))?;
        let ours = stored.ours.as_ref().unwrap_or(name);
        Some((strsim::damerau_levenshtein(missing, ours), name))
    });
    let (distance, name) = candidates.min()?;
    (distance <= missing.len() / 3 + 1).then(|| format!("did you mean its `{name}`?"))
}

fn nothing_fits(report: &LoadReport, matching: &Matching, graph: &Graph) -> String {
    let some = |names: Vec<&str>| match names.split_first_chunk::<3>() {
        Some((first, rest)) if !rest.is_empty() => format!("`{}`, ...", first.join("`, `")),
        _ => format!("`{}`", names.join("`, `")),
    };
    let wanted = some(graph.params.iter().map(|param| param.name.as_str()).collect());
    match report.unexpected.len() {
        0 => "there are no weights in the file".to_owned(),
        count => format!(
            "none of the file's {count} tensors is in the net: it has {}, the net wants {wanted}",
            some(matching.stored.keys().map(String::as_str).collect())
        ),
    }
}

fn text(dims: &[usize]) -> String {
    format!("({})", dims.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Origin;
    use crate::weights::save::{NamedTensor, Precision, save};
    use crate::weights::testing::graph;
    use std::collections::BTreeMap;
    use std::path::PathBuf;
    use tempfile::TempDir;

    const NET: &[(&str, &[usize])] = &[
        ("conv1.weight", &[1, 1, 3, 2]),
        ("bn1.weight", &[2]),
        ("bn1.running_mean", &[2]),
        ("head.1.weight", &[2, 4]),
        ("head.1.bias", &[4]),
    ];

    /// A file of tensors that count up, beside shapes in file order.
    fn file(tensors: &[(&str, &[usize])]) -> (TempDir, PathBuf) {
        let numbered = |dims: &[usize]| (0..dims.iter().product()).map(|i: usize| i as f32).collect::<Vec<_>>();
        let tensors: Vec<_> =
            tensors.iter().map(|(name, dims)| NamedTensor::new(*name, dims.to_vec(), numbered(dims))).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.safetensors");
        save(&path, &tensors, &BTreeMap::new(), Precision::Float32).unwrap();
        (folder, path)
    }

    fn hold(tensors: &[(&str, &[usize])], allow: &Allow) -> LoadReport {
        let (_folder, path) = file(tensors);
        report(&path, &graph(NET), Some(Arch::Resnet18), allow).unwrap()
    }

    const SOUND: &[(&str, &[usize])] =
        &[("conv1.weight", &[2, 3, 1, 1]), ("bn1.weight", &[2]), ("bn1.running_mean", &[2])];

    #[test]
    fn what_matches_is_read_in_memory_order() {
        let (_folder, path) = file(&[SOUND, &[("bn1.num_batches_tracked", &[])]].concat());
        let graph = graph(NET);
        let report = report(&path, &graph, Some(Arch::Resnet18), &Allow::default()).unwrap();
        assert_eq!(report.to_string(), "matched 3 of 3 parameters (torchvision's names)");
        assert!(report.refused.is_empty() && report.missing.is_empty() && report.unexpected.is_empty());
        let values = read(&path, &graph, &report).unwrap();
        assert_eq!(values[0], (0, vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0]));
        assert_eq!(values[2], (2, vec![0.0, 1.0]));
    }

    #[test]
    fn every_gap_is_listed_and_refused() {
        let report = hold(
            &[("conv1.weight", &[2, 3, 3, 3]), ("bn1.wieght", &[2]), ("fc.weight", &[1000, 2])],
            &Allow::default(),
        );
        assert_eq!(report.missing, ["bn1.weight", "bn1.running_mean"]);
        assert_eq!(report.unexpected, ["bn1.wieght", "fc.weight"]);
        assert_eq!(report.wrong_shape, [("conv1.weight".to_owned(), vec![2, 3, 1, 1], vec![2, 3, 3, 3])]);
        assert_eq!(
            report.to_string(),
            "\
matched 0 of 3 parameters (torchvision's names), 2 missing, 2 unexpected, 1 of another shape
  refused  `bn1.weight` is missing from the file: did you mean its `bn1.wieght`?
  refused  `bn1.running_mean` is missing from the file
  refused  `bn1.wieght` of the file is not in the net
  refused  `fc.weight` of the file is not in the net
  refused  `conv1.weight` is (2, 3, 1, 1) in the net, but (2, 3, 3, 3) in the file"
        );
    }

    #[test]
    fn only_gaps_that_are_named_pass() {
        let allow = Allow {
            missing: vec!["bn1.running_*".into()],
            unexpected: vec!["fc.*".into(), "aux.*".into()],
            shape: vec!["conv1.weight".into()],
        };
        let report = hold(&[("conv1.weight", &[2, 3, 3, 3]), ("bn1.weight", &[2]), ("fc.bias", &[10])], &allow);
        assert!(report.refused.is_empty(), "{report}");
        assert_eq!(report.matched, [(1, "bn1.weight".to_owned())]);
        assert_eq!(
            report.to_string(),
            "\
matched 1 of 3 parameters (torchvision's names), 1 missing (allowed: bn1.running_*), 1 unexpected (allowed: fc.*), \
1 of another shape (allowed: conv1.weight)
  note     allow.unexpected: `aux.*` matches no such gap, and may go"
        );
    }

    #[test]
    fn a_file_of_another_net_is_refused_in_one_sentence() {
        let report =
            hold(&[("a.weight", &[1]), ("b.weight", &[1]), ("c.weight", &[1]), ("d.weight", &[1])], &Allow::default());
        assert_eq!(
            report.refused,
            [
                "none of the file's 4 tensors is in the net: it has `a.weight`, `b.weight`, `c.weight`, ..., the net wants \
             `conv1.weight`, `bn1.weight`, `bn1.running_mean`, ..."
            ]
        );
        assert_eq!(hold(&[], &Allow::default()).refused, ["there are no weights in the file"]);
    }

    #[test]
    fn a_classifier_goes_into_a_head_of_its_shape() {
        let classifier: &[(&str, &[usize])] = &[("fc.weight", &[4, 2]), ("fc.bias", &[4])];
        let same = hold(&[SOUND, classifier].concat(), &Allow::default());
        assert_eq!(same.matched[3..], [(3, "fc.weight".to_owned()), (4, "fc.bias".to_owned())]);
        assert_eq!(same.notes, ["the head starts from the file's classifier: `fc.weight`, `fc.bias`"]);
        assert_eq!(same.total, 5);

        let other = hold(&[SOUND, &[("fc.weight", &[1000, 2]), ("fc.bias", &[1000])]].concat(), &Allow::default());
        assert_eq!(other.unexpected, ["fc.weight", "fc.bias"]);
        assert_eq!(other.refused.len(), 2);
        assert_eq!(other.total, 3);
    }

    #[test]
    fn our_own_checkpoints_bring_their_head() {
        let head: &[(&str, &[usize])] = &[("head.1.weight", &[4, 2]), ("head.1.bias", &[4])];
        let own = hold(&[SOUND, head].concat(), &Allow::default());
        assert_eq!((own.matched.len(), own.refused.len(), own.total), (5, 0, 5));
        let resized = hold(&[SOUND, &[("head.1.weight", &[9, 2]), ("head.1.bias", &[9])]].concat(), &Allow::default());
        assert_eq!(resized.wrong_shape.len(), 2);
        assert_eq!(resized.refused.len(), 2);
    }

    #[test]
    fn the_wrapper_of_data_parallel_is_seen_through() {
        let report = hold(
            &[("module.conv1.weight", &[2, 3, 1, 1]), ("module.bn1.weight", &[2]), ("module.bn1.running_mean", &[2])],
            &Allow::default(),
        );
        assert_eq!(report.matched[0], (0, "module.conv1.weight".to_owned()));
        assert!(report.refused.is_empty());
    }

    #[test]
    fn reading_notices_that_the_file_was_replaced() {
        let (_folder, path) = file(SOUND);
        let graph = graph(NET);
        let report = report(&path, &graph, Some(Arch::Resnet18), &Allow::default()).unwrap();
        let (_other, shorter) = file(&[("conv1.weight", &[1]), ("bn1.weight", &[2]), ("bn1.running_mean", &[2])]);
        let error = read(&shorter, &graph, &report).unwrap_err().to_string();
        assert!(error.ends_with("`conv1.weight` is not what it was when it was looked at"), "{error}");
    }

    /// As `hold`, where node `node` of the net was put in by the spec.
    fn hold_changed(tensors: &[(&str, &[usize])], node: usize, origin: Origin) -> LoadReport {
        let (_folder, path) = file(tensors);
        let mut graph = graph(NET);
        graph.nodes[node].origin = origin;
        report(&path, &graph, Some(Arch::Resnet18), &Allow::default()).unwrap()
    }

    #[test]
    fn an_inserted_layer_may_be_missing_but_is_taken_where_it_is_there() {
        let without = hold_changed(&SOUND[..1], 1, Origin::Inserted);
        assert_eq!(
            without.to_string(),
            "\
matched 1 of 1 parameters (torchvision's names)
  note     `bn1` is not in the file, and starts anew: weight, running_mean"
        );
        assert!(without.refused.is_empty());
        let with = hold_changed(SOUND, 1, Origin::Inserted);
        assert_eq!((with.matched.len(), with.total, with.notes.len()), (3, 3, 0));
        // One of our own files, of a net in which it was wider.
        let wider = hold_changed(&[SOUND[0], ("bn1.weight", &[9]), SOUND[2]], 1, Origin::Inserted);
        assert_eq!(wider.refused, ["`bn1.weight` is (2) in the net, but (9) in the file"]);
    }

    #[test]
    fn what_replaces_a_layer_takes_what_fits_it_and_leaves_the_rest() {
        let same = hold_changed(SOUND, 0, Origin::Replaced);
        assert_eq!((same.matched.len(), same.total, same.notes.len()), (3, 3, 0));

        let larger: &[(&str, &[usize])] = &[("conv1.weight", &[2, 3, 7, 7]), ("conv1.bias", &[2])];
        let larger = hold_changed(&[larger, &SOUND[1..]].concat(), 0, Origin::Replaced);
        assert_eq!(
            larger.to_string(),
            "\
matched 2 of 2 parameters (torchvision's names)
  note     `conv1` was replaced: unused are `conv1.weight`, `conv1.bias`
  note     `conv1` is not in the file, and starts anew: weight"
        );
        assert!(larger.refused.is_empty() && larger.unexpected.is_empty() && larger.wrong_shape.is_empty());

        let other = hold_changed(&[SOUND, &[("conv2.weight", &[1])]].concat(), 0, Origin::Replaced);
        assert_eq!(other.refused, ["`conv2.weight` of the file is not in the net"]);
    }
}
