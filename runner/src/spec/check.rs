//! What must hold within a spec, whatever the net and the data are.

use super::data::{Data, Image, Normalize, Split};
use super::{Path, PerGroup, Phase, Pipeline, Problem, Problems, Schedule, limits, task};
use crate::augment;
use crate::heads::Head;
use crate::optim::Optimizer;
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::ops::{Bound, RangeBounds};

/// The largest image, in pixels a side.
const MAX_SIZE: usize = 4096;

/// The largest batch, in images.
const MAX_BATCH: usize = 1 << 20;

/// All that is wrong with a spec in itself.
pub fn check(spec: &Pipeline) -> Problems {
    let mut problems = Problems::default();
    limits::check(spec, &mut problems);
    if !problems.0.is_empty() {
        return problems;
    }
    let top = Path::default();
    name(&mut problems, top.key("name"), &spec.name);
    data(&mut problems, &top.key("data"), &spec.data);
    net(&mut problems, spec);
    task::check(spec, &mut problems);
    spec.augmentation.check(&top.key("augmentation"), &mut problems);
    augment::channels::check(&spec.augmentation, spec.data.image.channels, &top.key("augmentation"), &mut problems);
    spec.regularization.check(&top.key("regularization"), &mut problems);
    spec.checkpoint.check(&top.key("checkpoint"), &mut problems);
    spec.cache.check(&top.key("cache"), &mut problems);
    // A head that is fitted needs no schedule.
    let fitted = spec.head.as_ref().and_then(Head::fitted).is_some();
    if !(fitted && spec.schedule.is_absent()) {
        schedule(&mut problems, &top.key("schedule"), &spec.schedule);
    }
    problems
}

/// Notes a problem where `value` is not within `range`. `what` begins the message: "the batch".
pub fn range<T: PartialOrd + Display>(
    problems: &mut Problems,
    path: Path,
    value: &T,
    range: impl RangeBounds<T>,
    what: &str,
) {
    // NaN is in no range, as no comparison with it holds.
    if !range.contains(value) {
        let bounds = describe(range.start_bound(), range.end_bound());
        problems.push(Problem::new(path, format!("{what} must be {bounds}, found {value}")));
    }
}

fn describe<T: Display>(start: Bound<&T>, end: Bound<&T>) -> String {
    let low = match start {
        Bound::Included(low) => Some(format!("at least {low}")),
        Bound::Excluded(low) => Some(format!("more than {low}")),
        Bound::Unbounded => None,
    };
    let high = match end {
        Bound::Included(high) => Some(format!("at most {high}")),
        Bound::Excluded(high) => Some(format!("less than {high}")),
        Bound::Unbounded => None,
    };
    match (low, high) {
        (Some(low), Some(high)) => format!("{low} and {high}"),
        (Some(bound), None) | (None, Some(bound)) => bound,
        (None, None) => "a number".to_owned(),
    }
}

/// All finite numbers above 0.
pub const POSITIVE: (Bound<f64>, Bound<f64>) = (Bound::Excluded(0.0), Bound::Excluded(f64::INFINITY));

/// All finite numbers from 0.
pub const NOT_NEGATIVE: (Bound<f64>, Bound<f64>) = (Bound::Included(0.0), Bound::Excluded(f64::INFINITY));

/// `range` for bounds whose upper end is that the number is finite.
pub fn finite(problems: &mut Problems, path: Path, value: f64, range: (Bound<f64>, Bound<f64>), what: &str) {
    if !range.contains(&value) {
        let bound =
            if value.is_finite() { describe(range.0.as_ref(), Bound::Unbounded) } else { "a finite number".to_owned() };
        problems.push(Problem::new(path, format!("{what} must be {bound}, found {value}")));
    }
}

fn name(problems: &mut Problems, path: Path, name: &str) {
    let fault = match name {
        "" => "the name is empty",
        "." | ".." => "this is no name for a folder",
        _ if name.contains(['/', '\\']) => "the name holds a slash",
        _ if name.chars().any(char::is_control) => "the name holds a control character",
        _ if name.trim() != name => "the name begins or ends with a space",
        _ if name.len() > 100 => "the name is longer than 100 bytes",
        _ => return,
    };
    problems.push(Problem::new(path, fault).help("runs are kept in `runs/NAME/`, so it must be a folder's name"));
}

fn data(problems: &mut Problems, path: &Path, data: &Data) {
    image(problems, &path.key("image"), &data.image);
    split(problems, &path.key("split"), &data.split);
    range(problems, path.key("batch"), &data.batch, 1..=MAX_BATCH, "the batch");
    if let Some(micro_batch) = data.micro_batch {
        range(problems, path.key("micro_batch"), &micro_batch, 1.., "the piece of a batch");
    }
    if let Some(workers) = data.workers {
        range(problems, path.key("workers"), &workers, 1..=1024, "the number of workers");
    }
    range(problems, path.key("max_bad"), &data.max_bad, 0.0..=1.0, "a share");
}

fn image(problems: &mut Problems, path: &Path, image: &Image) {
    let size = path.key("size");
    for side in image.size.0 {
        if !(1..=MAX_SIZE).contains(&side) {
            range(problems, size, &side, 1..=MAX_SIZE, "the image size");
            break;
        }
    }
    if let Normalize::Custom { mean, std } = &image.normalize {
        let path = path.key("normalize").key("custom");
        let channels = image.channels.count();
        for (key, values) in [("mean", mean), ("std", std)] {
            if values.len() != channels {
                let message = format!("an image has {channels} channels, found {} values", values.len());
                problems.push(Problem::new(path.key(key), message).help("give one number a channel"));
            }
        }
        for (i, mean) in mean.iter().enumerate() {
            range(problems, path.key("mean").index(i), mean, 0.0..=1.0, "a mean");
        }
        for (i, &std) in std.iter().enumerate() {
            finite(problems, path.key("std").index(i), f64::from(std), POSITIVE, "a standard deviation");
        }
    }
}

fn split(problems: &mut Problems, path: &Path, split: &Split) {
    let shares = [("train", split.train), ("val", split.val), ("test", split.test_share())];
    let before = problems.0.len();
    folds(problems, path, split);
    for (key, share) in shares {
        range(problems, path.key(key), &share, (Bound::Excluded(0.0), Bound::Excluded(1.0)), "a share");
    }
    let sum: f64 = shares.iter().map(|(_, share)| share).sum();
    if problems.0.len() == before && split.folds.is_none() && (sum - 1.0).abs() > 1e-6 {
        let sum = (sum * 1e6).round() / 1e6;
        problems.push(Problem::new(path.clone(), format!("`train`, `val` and `test` must add up to 1, found {sum}")));
    }
}

fn folds(problems: &mut Problems, path: &Path, split: &Split) {
    match (split.folds, split.fold) {
        (Some(folds), fold) => {
            range(problems, path.key("folds"), &folds, 2..=1000, "the number of folds");
            if let Some(fold) = fold {
                range(problems, path.key("fold"), &fold, 1..=folds.max(1), "the fold");
            }
            if split.test.is_some() {
                let message = "`test` has no meaning beside `folds`: each fold is the test once";
                problems.push(Problem::new(path.key("test"), message).at_key().help("leave it out"));
            }
        }
        (None, Some(_)) => problems.push(
            Problem::new(path.key("fold"), "`fold` goes with `folds`, and there is none")
                .at_key()
                .help("add `folds: 5`"),
        ),
        (None, None) => {}
    }
}

fn net(problems: &mut Problems, spec: &Pipeline) {
    let layers = Path::of("layers");
    match (&spec.backbone, &spec.layers) {
        (Some(_), Some(_)) => problems.push(
            Problem::new(layers, "the net is given twice: `backbone` and `layers`")
                .at_key()
                .help("keep one of them; what follows a backbone is its `head`"),
        ),
        (None, None) => problems.push(
            Problem::new(Path::default(), "the net is missing: neither `backbone` nor `layers` is given")
                .help("`backbone: { arch: ... }` for a pretrained net, `layers:` for one of your own"),
        ),
        (None, Some(list)) if list.is_empty() => problems.push(Problem::new(layers, "a net needs at least one layer")),
        _ => {}
    }
    if let Some(backbone) = &spec.backbone {
        backbone.check(&Path::of("backbone"), problems);
    }
    if let Some(head) = &spec.head {
        head.check(&Path::of("head"), problems);
    }
    if let Some(weights) = &spec.weights {
        let at = Path::of("weights");
        weights.check(&at, problems);
        if spec.backbone.is_some() {
            let problem = Problem::new(at, "`weights` are for nets written as `layers`").at_key();
            problems.push(problem.help("give a backbone's weights as `backbone: { weights: ... }`"));
        }
    }
}

fn schedule(problems: &mut Problems, path: &Path, schedule: &Schedule) {
    optimizer(problems, &path.key("optimizer"), &schedule.optimizer);
    if let Some(scheduler) = &schedule.scheduler {
        scheduler.check(&path.key("scheduler"), problems);
    }
    if let Some(warm_up) = &schedule.warm_up {
        warm_up.check(&path.key("warm_up"), problems);
    }
    schedule.check_forms(path, problems);
    if let Some(list) = &schedule.phases {
        phases(problems, &path.key("phases"), list);
    }
}

fn optimizer(problems: &mut Problems, path: &Path, optimizer: &Optimizer) {
    let decay = match optimizer {
        Optimizer::AdamW(adamw) => {
            let path = path.key("adamw");
            for (i, beta) in adamw.betas.iter().enumerate() {
                range(problems, path.key("betas").index(i), beta, 0.0..1.0, "a decay rate");
            }
            finite(problems, path.key("eps"), adamw.eps, POSITIVE, "`eps`");
            (path, adamw.weight_decay)
        }
        Optimizer::Sgd(sgd) => {
            let path = path.key("sgd");
            range(problems, path.key("momentum"), &sgd.momentum, 0.0..1.0, "momentum");
            if sgd.nesterov && sgd.momentum == 0.0 {
                problems.push(Problem::new(path.key("nesterov"), "Nesterov momentum needs `momentum` above 0"));
            }
            (path, sgd.weight_decay)
        }
    };
    finite(problems, decay.0.key("weight_decay"), decay.1, NOT_NEGATIVE, "weight decay");
}

fn phases(problems: &mut Problems, path: &Path, phases: &[Phase]) {
    if phases.is_empty() {
        problems.push(Problem::new(path.clone(), "a schedule needs at least one phase"));
    }
    let mut seen = HashMap::new();
    for (i, phase) in phases.iter().enumerate() {
        let path = path.index(i);
        phase.check(&path, problems);
        if let Some(first) = seen.insert(phase.name.as_str(), i) {
            let message = format!("two phases are called `{}`", phase.name);
            let help =
                format!("the other is the {} in the list; logs and checkpoints tell phases by name", ordinal(first));
            problems.push(Problem::new(path.key("name"), message).help(help));
        }
    }
}

fn ordinal(index: usize) -> String {
    match index {
        0 => "first".to_owned(),
        1 => "second".to_owned(),
        2 => "third".to_owned(),
        _ => format!("{}th", index + 1),
    }
}

/// Checks a setting of one value or of one a group.
pub fn each(
    problems: &mut Problems,
    path: &Path,
    setting: &PerGroup<f64>,
    range: (Bound<f64>, Bound<f64>),
    what: &str,
) {
    match setting {
        PerGroup::All(value) => finite(problems, path.clone(), *value, range, what),
        PerGroup::Map(map) if map.is_empty() => {
            let help = "give one number, or one a group: `{ head: 1e-3, \"*\": 1e-4 }`";
            problems.push(Problem::new(path.clone(), format!("{what} is missing")).help(help));
        }
        PerGroup::Map(map) => {
            for (group, value) in map {
                finite(problems, path.key(group.as_str()), *value, range, what);
            }
        }
    }
}

/// Checks a list of stages' names.
pub fn stages(problems: &mut Problems, path: &Path, stages: &[String], empty: &str) {
    if stages.is_empty() {
        problems.push(Problem::new(path.clone(), empty).help("`[head]` for the head, `[\"*\"]` for all of the net"));
    }
    let mut seen = HashSet::new();
    for (i, stage) in stages.iter().enumerate() {
        if stage.trim().is_empty() {
            problems.push(Problem::new(path.index(i), "the name of a stage is empty"));
        } else if !seen.insert(stage) {
            problems.push(Problem::new(path.index(i), format!("`{stage}` is listed twice")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Override, load_text};

    const SPEC: &str = include_str!("testdata/spec.yaml");

    /// The problems of a spec with values in place of its own: paths and messages.
    fn problems(sets: &[&str]) -> Vec<(String, String)> {
        let sets: Vec<Override> = sets.iter().map(|set| Override((*set).to_owned())).collect();
        let loaded = load_text("spec.yaml", SPEC, std::path::Path::new(""), &sets).unwrap();
        check(&loaded.pipeline).0.into_iter().map(|problem| (problem.path.to_string(), problem.message)).collect()
    }

    #[test]
    fn a_range_says_its_bounds() {
        let mut problems = Problems::default();
        let mut note =
            |value: f64, bounds: (Bound<f64>, Bound<f64>)| range(&mut problems, Path::default(), &value, bounds, "x");
        note(1.0, (Bound::Included(0.0), Bound::Included(1.0)));
        note(1.5, (Bound::Included(0.0), Bound::Included(1.0)));
        note(1.0, (Bound::Excluded(0.0), Bound::Excluded(1.0)));
        note(f64::NAN, (Bound::Unbounded, Bound::Included(1.0)));
        note(-1.0, (Bound::Included(0.0), Bound::Unbounded));
        let messages: Vec<&str> = problems.0.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "x must be at least 0 and at most 1, found 1.5",
                "x must be more than 0 and less than 1, found 1",
                "x must be at most 1, found NaN",
                "x must be at least 0, found -1",
            ]
        );
    }

    #[test]
    fn a_sound_spec_has_no_problems() {
        assert_eq!(problems(&[]), []);
        // The outermost values that are let pass.
        let sets = [
            "data.batch=1",
            "data.max_bad=0",
            "data.image.size=[1, 4096]",
            "data.split={ train: 0.3333333, val: 0.3333333, test: 0.3333334 }",
            "regularization.label_smoothing=0",
            "regularization.early_stopping.patience=1",
            "schedule.phases.0.epochs=1",
            "schedule.phases.0.lr=1e-300",
            "schedule.optimizer={ sgd: { momentum: 0 } }",
            "name=Ein Lauf",
        ];
        assert_eq!(problems(&sets), []);
    }

    #[test]
    fn each_value_that_cannot_be_is_found_at_its_path() {
        for (set, path) in [
            ("name=a/b", "name"),
            ("name=..", "name"),
            ("name=\"\"", "name"),
            ("name=\" x\"", "name"),
            ("data.batch=0", "data.batch"),
            ("data.workers=0", "data.workers"),
            ("data.max_bad=1.1", "data.max_bad"),
            ("data.max_bad=.nan", "data.max_bad"),
            ("data.image.size=[96, 4097]", "data.image.size"),
            (
                "data.image.normalize={ custom: { mean: [0, 0, 2], std: [1, 1, 1] } }",
                "data.image.normalize.custom.mean.2",
            ),
            (
                "data.image.normalize={ custom: { mean: [0, 0, 0], std: [1, 0, 1] } }",
                "data.image.normalize.custom.std.1",
            ),
            ("data.image.normalize={ custom: { mean: [0, 0, 0], std: [1, 1] } }", "data.image.normalize.custom.std"),
            ("data.split.test=0", "data.split.test"),
            ("data.split.test=.nan", "data.split.test"),
            ("data.split.test=0.16", "data.split"),
            ("head=[]", "head"),
            ("head={ linear_svm: { c: 0 } }", "head.linear_svm.c"),
            ("head={ logistic: { tolerance: -1 } }", "head.logistic.tolerance"),
            ("head={ logistic: { max_iterations: 0 } }", "head.logistic.max_iterations"),
            ("schedule={}", "schedule"),
            ("backbone={ arch: resnet18, features: head }", "backbone.features"),
            ("layers=[relu]", "layers"),
            ("augmentation.train.1.horizontal_flip=1.5", "augmentation.train.1.horizontal_flip"),
            ("regularization.label_smoothing=1", "regularization.label_smoothing"),
            ("regularization.early_stopping.patience=0", "regularization.early_stopping.patience"),
            ("regularization.early_stopping.min_delta=-1", "regularization.early_stopping.min_delta"),
            ("regularization.clip_grad_norm=0", "regularization.clip_grad_norm"),
            ("regularization.clip_grad_value=.inf", "regularization.clip_grad_value"),
            ("schedule.optimizer.adamw.weight_decay=-1", "schedule.optimizer.adamw.weight_decay"),
            ("schedule.optimizer.adamw.betas=[0.9, 1]", "schedule.optimizer.adamw.betas.1"),
            ("schedule.optimizer={ sgd: { momentum: 1 } }", "schedule.optimizer.sgd.momentum"),
            ("schedule.optimizer={ sgd: { momentum: 0, nesterov: true } }", "schedule.optimizer.sgd.nesterov"),
            ("schedule.phases=[]", "schedule.phases"),
            ("schedule.phases=null", "schedule"),
            ("schedule.phases.1.name=head", "schedule.phases.1.name"),
            ("schedule.phases.1.name=\"\"", "schedule.phases.1.name"),
            ("schedule.phases.1.epochs=0", "schedule.phases.1.epochs"),
            ("schedule.phases.1.train=[]", "schedule.phases.1.train"),
            ("schedule.phases.1.train=[head, head]", "schedule.phases.1.train.1"),
            ("schedule.phases.1.lr={}", "schedule.phases.1.lr"),
            ("schedule.phases.1.lr.head=0", "schedule.phases.1.lr.head"),
            ("schedule.phases.0.lr=.inf", "schedule.phases.0.lr"),
            ("schedule.phases.0.weight_decay=-1", "schedule.phases.0.weight_decay"),
            ("schedule.phases.0.epochs=null", "schedule.phases.0"),
            ("schedule.phases.0.max_epochs=3", "schedule.phases.0.max_epochs"),
            ("schedule.phases.0.until={}", "schedule.phases.0.until"),
            ("schedule.phases.0.scheduler={ step: { every: 0 } }", "schedule.phases.0.scheduler.step.every"),
            ("schedule.phases.0.warm_up={ epochs: 4 }", "schedule.phases.0.warm_up.epochs"),
            ("schedule.phases.0.clip_grad_norm=0", "schedule.phases.0.clip_grad_norm"),
            ("schedule.phases.0.clip_grad_value=-1", "schedule.phases.0.clip_grad_value"),
            ("schedule.scheduler={ exponential: { factor: 0 } }", "schedule.scheduler.exponential.factor"),
            ("schedule.warm_up={ steps: 0 }", "schedule.warm_up.steps"),
            ("schedule.gradual_unfreeze={ every: 1, stages: [head], lr: 1 }", "schedule.gradual_unfreeze"),
        ] {
            let found = problems(&[set]);
            assert_eq!(found.len(), 1, "{set}: {found:?}");
            assert_eq!(found[0].0, path, "{set}");
        }
    }
}
