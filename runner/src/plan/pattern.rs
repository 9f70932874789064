//! Patterns: how a spec names parts of the net.
//!
//! | written | meant |
//! |---|---|
//! | `head`, `layer4` | the stage of that name |
//! | `blocks`, `features` | all stages `blocks.N` |
//! | `encoder` | all stages of an autoencoder's encoder: `encoder.0`, `encoder.layer1`, ... |
//! | `blocks.13-15`, `layer3-4` | these and all between |
//! | `re:bn\d` | parameters in whose names the regular expression is found |
//! | `"*"` | everything |

use crate::net::{Graph, ParamId, Stage};
use crate::spec::problem::nearest;
use crate::spec::{Path, Problem};
use regex::Regex;

/// The pattern that stands for everything, or for the rest.
pub const EVERYTHING: &str = "*";

/// The parameters that `text` names, buffers included, in the graph's order. Never empty.
///
/// # Errors
/// One problem at `at`, with the nearest name: nothing has that name, a range ends at a stage that
/// is not there, the regular expression is none.
pub fn select(text: &str, graph: &Graph, at: &Path) -> Result<Vec<ParamId>, Problem> {
    let all = 0..graph.params.len();
    let selected: Vec<ParamId> = if text == EVERYTHING {
        all.collect()
    } else if let Some(expression) = text.strip_prefix("re:") {
        let expression = compile(expression, at)?;
        all.filter(|&param| expression.is_match(&graph.params[param].name)).collect()
    } else {
        let stages = stages(text, graph, at)?;
        all.filter(|&param| stages.contains(&graph.stage_of(param))).collect()
    };
    if selected.is_empty() { Err(nothing(text, graph, at)) } else { Ok(selected) }
}

fn compile(expression: &str, at: &Path) -> Result<Regex, Problem> {
    Regex::new(expression).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
        Problem::new(at.clone(), format!("`{expression}` is not a regular expression: {reason}"))
    })
}

fn nothing(text: &str, graph: &Graph, at: &Path) -> Problem {
    if !text.starts_with("re:") {
        return Problem::new(at.clone(), format!("`{text}` has no parameters"));
    }
    let problem = Problem::new(at.clone(), format!("no parameter's name matches `{text}`"));
    match graph.params.first() {
        Some(param) => problem.help(format!("parameters have names like `{}`", param.name)),
        None => problem,
    }
}

/// The stages that `text` names, as their places in the graph. Never empty.
fn stages(text: &str, graph: &Graph, at: &Path) -> Result<Vec<usize>, Problem> {
    let places = |wanted: &dyn Fn(&Stage) -> bool| -> Vec<usize> {
        graph.stages.iter().enumerate().filter(|(_, stage)| wanted(stage)).map(|(place, _)| place).collect()
    };
    let exact = places(&|stage| stage.name == text);
    if !exact.is_empty() {
        return Ok(exact);
    }
    let family = places(&|stage| numbered(&stage.name).is_some_and(|(name, _)| name.trim_end_matches('.') == text));
    if !family.is_empty() {
        return Ok(family);
    }
    let begin = format!("{text}.");
    let parts = places(&|stage| stage.name.starts_with(&begin));
    if !parts.is_empty() {
        return Ok(parts);
    }
    match Range::parse(text) {
        Some(range) if !range.there(graph).is_empty() => {
            range.check(graph, at)?;
            Ok(places(&|stage| numbered(&stage.name).is_some_and(|(name, number)| range.holds(name, number))))
        }
        _ => Err(unknown(text, graph, at)),
    }
}

fn unknown(text: &str, graph: &Graph, at: &Path) -> Problem {
    let problem = Problem::new(at.clone(), format!("no stage is named `{text}`"));
    let inner = format!("{text}.");
    if graph.nodes.iter().any(|node| node.name == text || node.name.starts_with(&inner)) {
        let expression = format!("re:^{}\\.", regex::escape(text));
        return problem.help(format!("it is a part of a stage: name its parameters by `{expression}`"));
    }
    let mut names: Vec<&str> = graph.stages.iter().map(|stage| stage.name.as_str()).collect();
    for stage in &graph.stages {
        if let Some((family, _)) = numbered(&stage.name) {
            names.push(family.trim_end_matches('.'));
        }
    }
    if let Some(name) = nearest(text, names) {
        return problem.help(format!("did you mean `{name}`?"));
    }
    problem.help(format!("the stages are {}", overview(graph.stages.iter().map(|stage| stage.name.as_str()))))
}

/// Stages' names, runs of numbers drawn together: `stem, blocks.0-15, head`.
pub fn overview<'a>(stages: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<String> = Vec::new();
    let mut run: Option<(&str, usize, usize)> = None;
    let close = |run: Option<(&str, usize, usize)>, names: &mut Vec<String>| match run {
        Some((family, first, last)) if first == last => names.push(format!("{family}{first}")),
        Some((family, first, last)) => names.push(format!("{family}{first}-{last}")),
        None => {}
    };
    for stage in stages {
        run = match (numbered(stage), run) {
            (Some((family, number)), Some((running, first, last))) if family == running && number == last + 1 => {
                Some((running, first, number))
            }
            (numbered, open) => {
                close(open, &mut names);
                if numbered.is_none() {
                    names.push(stage.to_owned());
                }
                numbered.map(|(family, number)| (family, number, number))
            }
        };
    }
    close(run, &mut names);
    names.join(", ")
}

/// `blocks.13` is number 13 of `blocks.`, `layer4` is number 4 of `layer`.
fn numbered(name: &str) -> Option<(&str, usize)> {
    let family = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = name.get(family.len()..)?.parse().ok()?;
    (!family.is_empty()).then_some((family, number))
}

/// `blocks.13-15`.
struct Range<'a> {
    family: &'a str,
    first: usize,
    last: usize,
}

impl<'a> Range<'a> {
    /// A range, or a single number as a range of one.
    fn parse(text: &'a str) -> Option<Self> {
        let (front, last) = match text.rsplit_once('-') {
            Some((front, last)) => (front, Some(last.parse().ok()?)),
            None => (text, None),
        };
        let (family, first) = numbered(front)?;
        Some(Range { family, first, last: last.unwrap_or(first) })
    }

    fn holds(&self, family: &str, number: usize) -> bool {
        family == self.family && (self.first..=self.last).contains(&number)
    }

    /// The numbers that exist of this family.
    fn there(&self, graph: &Graph) -> Vec<usize> {
        let numbers = graph.stages.iter().filter_map(|stage| numbered(&stage.name));
        numbers.filter(|(family, _)| *family == self.family).map(|(_, number)| number).collect()
    }

    fn check(&self, graph: &Graph, at: &Path) -> Result<(), Problem> {
        let Range { family, first, last } = *self;
        if first > last {
            return Err(Problem::new(at.clone(), format!("`{family}{first}-{last}` runs backwards"))
                .help(format!("write `{family}{last}-{first}`")));
        }
        let there = self.there(graph);
        let lacking = [first, last].into_iter().find(|number| !there.contains(number));
        let (Some(lacking), Some(lowest), Some(highest)) = (lacking, there.iter().min(), there.iter().max()) else {
            return Ok(());
        };
        Err(Problem::new(at.clone(), format!("there is no `{family}{lacking}`"))
            .help(format!("there are `{family}{lowest}` to `{family}{highest}`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture;

    fn net() -> Graph {
        fixture::net(&["stem", "blocks.0", "blocks.1", "blocks.2", "layer1", "layer2", "head"])
    }

    fn selected(text: &str) -> Vec<String> {
        let graph = net();
        let params = select(text, &graph, &Path::default()).unwrap();
        let mut stages: Vec<String> =
            params.iter().map(|&param| graph.stages[graph.stage_of(param)].name.clone()).collect();
        stages.dedup();
        stages
    }

    fn refused(text: &str) -> (String, String) {
        let problem = select(text, &net(), &Path::of("schedule.phases.0.train.1")).unwrap_err();
        assert_eq!(problem.path, Path::of("schedule.phases.0.train.1"));
        (problem.message, problem.help.unwrap_or_default())
    }

    #[test]
    fn names_families_and_ranges() {
        assert_eq!(selected("head"), ["head"]);
        assert_eq!(selected("blocks.1"), ["blocks.1"]);
        assert_eq!(selected("blocks"), ["blocks.0", "blocks.1", "blocks.2"]);
        assert_eq!(selected("blocks.1-2"), ["blocks.1", "blocks.2"]);
        assert_eq!(selected("blocks.1-1"), ["blocks.1"]);
        assert_eq!(selected("layer1-2"), ["layer1", "layer2"]);
        assert_eq!(selected("*").len(), 7);
    }

    #[test]
    fn a_whole_stage_is_all_its_parameters() {
        let graph = net();
        let params = select("stem", &graph, &Path::default()).unwrap();
        assert_eq!(
            params,
            graph.stages[0].nodes.clone().flat_map(|n| graph.nodes[n].params.clone()).collect::<Vec<_>>()
        );
    }

    #[test]
    fn regular_expressions_look_at_parameter_names() {
        let graph = net();
        let params = select(r"re:^blocks\.[01]\..*conv", &graph, &Path::default()).unwrap();
        let names: Vec<&str> = params.iter().map(|&param| graph.params[param].name.as_str()).collect();
        assert_eq!(names, ["blocks.0.conv.weight", "blocks.1.conv.weight"]);
    }

    #[test]
    fn a_stage_of_that_very_name_comes_before_a_family() {
        let graph = fixture::net(&["conv", "conv.1", "head"]);
        let params = select("conv", &graph, &Path::default()).unwrap();
        assert!(params.iter().all(|&param| graph.stage_of(param) == 0));
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        assert_eq!(refused("haed"), ("no stage is named `haed`".into(), "did you mean `head`?".into()));
        assert_eq!(refused("block"), ("no stage is named `block`".into(), "did you mean `blocks`?".into()));
        assert_eq!(
            refused("classifier"),
            ("no stage is named `classifier`".into(), "the stages are stem, blocks.0-2, layer1-2, head".into())
        );
        assert_eq!(
            refused("blocks.1-5"),
            ("there is no `blocks.5`".into(), "there are `blocks.0` to `blocks.2`".into())
        );
        assert_eq!(refused("blocks.7"), ("there is no `blocks.7`".into(), "there are `blocks.0` to `blocks.2`".into()));
        assert_eq!(refused("blocks.2-1"), ("`blocks.2-1` runs backwards".into(), "write `blocks.1-2`".into()));
        assert_eq!(
            refused("layer1.conv"),
            (
                "no stage is named `layer1.conv`".into(),
                r"it is a part of a stage: name its parameters by `re:^layer1\.conv\.`".into()
            )
        );
        assert_eq!(
            refused("re:nothing"),
            ("no parameter's name matches `re:nothing`".into(), "parameters have names like `stem.conv.weight`".into())
        );
    }

    #[test]
    fn a_broken_expression_is_a_problem() {
        let (message, _) = refused("re:(bn");
        assert_eq!(message, "`(bn` is not a regular expression: unclosed group");
        let (message, _) = refused("re:a{1000}{1000}{1000}");
        assert!(message.contains("is not a regular expression"), "{message}");
    }

    #[test]
    fn numbers_beyond_all_bounds_are_just_not_there() {
        assert_eq!(
            refused("blocks.0-99999999999999999999999").0,
            "no stage is named `blocks.0-99999999999999999999999`"
        );
    }
}
