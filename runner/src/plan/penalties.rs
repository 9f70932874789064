//! What the spec's regularization does to each parameter.

use super::{PhasePlan, pattern};
use crate::net::{Graph, ParamId};
use crate::optim::Optimizer;
use crate::spec::{Path, Pipeline, Problem, Problems};
use crate::weights::LoadReport;

/// What pulls and bounds one parameter while it trains.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Penalty {
    /// Times the sign of a weight.
    pub l1: f64,
    /// Times a weight.
    pub l2: f64,
    /// Times what lies between a weight and its start.
    pub to_start: f64,
    /// The greatest norm of the weights into one output.
    pub max_norm: Option<f64>,
}

/// The penalties by parameter. What is wrong goes to `problems`.
pub fn resolve(
    spec: &Pipeline,
    graph: &Graph,
    weights: Option<&LoadReport>,
    phases: &[PhasePlan],
    problems: &mut Problems,
) -> Vec<Penalty> {
    let given = &spec.regularization;
    let at = Path::of("regularization");
    let mut penalties = vec![Penalty::default(); graph.params.len()];
    let decaying = |param: &ParamId| graph.params[*param].def.role.decays();
    for param in (0..graph.params.len()).filter(decaying) {
        penalties[param].l1 = given.l1.unwrap_or(0.0);
        penalties[param].l2 = given.l2.unwrap_or(0.0);
    }
    if let Some(l2_sp) = &given.l2_sp {
        if spec.backbone.is_none() {
            let problem =
                Problem::new(at.key("l2_sp"), "`l2_sp` pulls to pretrained weights, and there is no backbone");
            problems.push(problem.at_key().help("`l2: 1e-4` pulls to 0"));
        }
        let pretrained = pretrained(graph, weights);
        for param in (0..graph.params.len()).filter(decaying) {
            if pretrained[param] {
                penalties[param].to_start = l2_sp.alpha;
            } else {
                penalties[param].l2 += l2_sp.beta;
            }
        }
    }
    if let Some(max_norm) = &given.max_norm {
        let bounded = bounded(max_norm.only.as_deref(), graph, &at.key("max_norm").key("only"), problems);
        for param in bounded.into_iter().filter(decaying) {
            // A vector has no outputs that values flow into.
            let flows = graph.params[param].def.dims.len() > 1;
            penalties[param].max_norm = flows.then_some(max_norm.bound);
        }
    }
    check_swa(spec, phases, problems);
    penalties
}

/// By parameter: whether it starts from values that somebody trained, as far as the spec says so.
fn pretrained(graph: &Graph, weights: Option<&LoadReport>) -> Vec<bool> {
    if weights.is_some() {
        return super::weights::random(graph, weights).into_iter().map(|random| !random).collect();
    }
    let head = |param: ParamId| graph.stages[graph.stage_of(param)].name == "head";
    (0..graph.params.len()).map(|param| !head(param)).collect()
}

fn bounded(only: Option<&[String]>, graph: &Graph, at: &Path, problems: &mut Problems) -> Vec<ParamId> {
    let Some(only) = only else { return (0..graph.params.len()).collect() };
    let mut all = Vec::new();
    for (place, text) in only.iter().enumerate() {
        match pattern::select(text, graph, &at.index(place)) {
            Ok(params) => all.extend(params),
            Err(problem) => problems.push(problem),
        }
    }
    all
}

/// An average over epochs that the run does not reach would be of nothing.
fn check_swa(spec: &Pipeline, phases: &[PhasePlan], problems: &mut Problems) {
    let epochs = super::phase::epochs(phases);
    if let Some(swa) = &spec.regularization.swa
        && epochs > 0
        && swa.from_epoch > epochs
    {
        let plural = if epochs == 1 { "" } else { "s" };
        let message = format!("the run has {epochs} epoch{plural}, so no weights would be averaged");
        problems.push(Problem::new(Path::of("regularization.swa.from_epoch"), message));
    }
}

/// Decay to 0 works against a pull to the start: what a person should know.
pub fn warning(spec: &Pipeline, phases: &[PhasePlan]) -> Option<String> {
    spec.regularization.l2_sp.as_ref()?;
    let optimizer = &spec.schedule.optimizer;
    let groups = phases.iter().flat_map(|phase| &phase.groups);
    let decays = groups.into_iter().any(|group| decay(optimizer, group.weight_decay) > 0.0);
    decays.then(|| {
        "`l2_sp` pulls weights to their start, and the optimizer's weight decay pulls them to 0: set its \
         `weight_decay: 0` to have the one without the other."
            .to_owned()
    })
}

fn decay(optimizer: &Optimizer, own: Option<f64>) -> f64 {
    own.unwrap_or(match optimizer {
        Optimizer::Sgd(sgd) => sgd.weight_decay,
        Optimizer::AdamW(adamw) => adamw.weight_decay,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture;
    use crate::spec::load_text;

    /// Name and penalty of each parameter of a net of two stages, whose `stem` a weight file gave, and
    /// what is wrong.
    fn resolved(regularization: &str) -> (Vec<(String, Penalty)>, Problems) {
        let yaml = format!(
            "name: a\ndata: {{ source: {{ synthetic: blood_cells }}, image: {{ size: 32 }} }}\n\
             backbone: {{ arch: resnet18 }}\nregularization: {{ {regularization} }}\n\
             schedule: {{ phases: [{{ name: a, epochs: 2, train: [head], lr: 1 }}] }}"
        );
        let spec = load_text("a.yaml", &yaml, std::path::Path::new(""), &[]).unwrap().pipeline;
        let graph = fixture::net(&["stem", "block", "head"]);
        let matched = graph.params.iter().map(|param| param.name.clone()).enumerate();
        let matched = matched.filter(|(_, name)| name.starts_with("stem")).collect();
        let report = LoadReport { matched, ..LoadReport::default() };
        let mut problems = Problems::default();
        let phases = crate::plan::phases(&spec.schedule, &graph, &mut problems);
        let penalties = resolve(&spec, &graph, Some(&report), &phases, &mut problems);
        (graph.params.iter().map(|param| param.name.clone()).zip(penalties).collect(), problems)
    }

    fn those(all: &[(String, Penalty)], of: impl Fn(&Penalty) -> bool) -> Vec<&str> {
        all.iter().filter(|(_, penalty)| of(penalty)).map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn weights_are_pulled_and_norms_and_biases_are_not() {
        let (all, problems) = resolved("l1: 1e-5, l2: 1e-4");
        assert_eq!(problems, Problems::default());
        let weights = ["stem.conv.weight", "block.conv.weight", "head.linear.weight"];
        assert_eq!(those(&all, |penalty| penalty.l1 > 0.0 && penalty.l2 > 0.0), weights);
        assert_eq!(those(&all, |penalty| *penalty == Penalty::default()).len(), all.len() - 3);
    }

    #[test]
    fn what_the_file_gave_is_pulled_to_its_start_and_the_rest_to_0() {
        let (all, problems) = resolved("l2_sp: { alpha: 0.1, beta: 0.2 }");
        assert_eq!(problems, Problems::default());
        assert_eq!(those(&all, |penalty| penalty.to_start > 0.0), ["stem.conv.weight"]);
        assert_eq!(those(&all, |penalty| penalty.l2 > 0.0), ["block.conv.weight", "head.linear.weight"]);
    }

    #[test]
    fn norms_are_bounded_where_the_spec_says() {
        let (all, _) = resolved("max_norm: { bound: 3 }");
        assert_eq!(those(&all, |penalty| penalty.max_norm == Some(3.0)).len(), 3);
        let (all, _) = resolved("max_norm: { bound: 3, only: [head] }");
        assert_eq!(those(&all, |penalty| penalty.max_norm.is_some()), ["head.linear.weight"]);
        let (_, problems) = resolved("max_norm: { bound: 3, only: [haed] }");
        assert_eq!(problems.0[0].path.to_string(), "regularization.max_norm.only.0");
        assert_eq!(problems.0[0].help.as_deref(), Some("did you mean `head`?"));
    }

    #[test]
    fn an_average_of_no_epoch_is_a_problem() {
        let (_, problems) = resolved("swa: { from_epoch: 3 }");
        assert_eq!(problems.0[0].path.to_string(), "regularization.swa.from_epoch");
        assert_eq!(problems.0[0].message, "the run has 2 epochs, so no weights would be averaged");
        assert_eq!(resolved("swa: { from_epoch: 2 }").1, Problems::default());
    }
}
