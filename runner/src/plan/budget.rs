//! In what pieces each phase computes its batches: as large as the spec and its memory budget allow.

use super::memory::Needs;
use super::{Memory, PhasePlan};
use crate::layers::NormMode;
use crate::net::Graph;
use crate::report::number::bytes;
use crate::spec::{Path, Pipeline, Problem, Problems};

/// What the program takes before it trains: code, threads, their buffers. Measured on Linux, rounded up.
pub const PROGRAM: u64 = 32 << 20;

/// Sets each phase's piece of a batch. Where not even one image fits into the memory budget, that is a
/// problem at `memory_budget`, with what the most demanding phase would need.
pub fn settle(spec: &Pipeline, graph: &Graph, phases: &mut [PhasePlan], problems: &mut Problems) {
    let most = spec.data.micro_batch.unwrap_or(spec.data.batch).min(spec.data.batch).max(1);
    let mut worst: Option<(u64, String)> = None;
    for phase in phases {
        phase.micro_batch = most;
        let Some(budget) = spec.memory_budget else { continue };
        let needs = Needs::of(graph, phase, spec);
        let need = |piece: usize| needs.in_pieces(piece).total().saturating_add(PROGRAM);
        match largest(most, |piece| need(piece) <= budget.0) {
            Some(piece) => phase.micro_batch = piece,
            None if worst.as_ref().is_none_or(|(so_far, _)| need(1) > *so_far) => {
                worst = Some((need(1), told(spec, graph, phase)));
            }
            None => {}
        }
    }
    if let (Some((_, told)), Some(budget)) = (worst, spec.memory_budget) {
        let message = format!("{told}, and the budget is {}", bytes(budget.0));
        problems.push(Problem::new(Path::of("memory_budget"), message).help(help(spec)));
    }
}

/// The largest of `1..=most` that fits, if any does; where one fits, all below it do.
pub fn largest(most: usize, fits: impl Fn(usize) -> bool) -> Option<usize> {
    if most == 0 || !fits(1) {
        return None;
    }
    let (mut fit, mut too_large) = (1, most.saturating_add(1));
    while too_large - fit > 1 {
        let middle = fit + (too_large - fit) / 2;
        if fits(middle) {
            fit = middle;
        } else {
            too_large = middle;
        }
    }
    Some(fit)
}

/// `phase `all` needs 812 MiB even for one image at a time: 600 MiB for activations, ...`
fn told(spec: &Pipeline, graph: &Graph, phase: &PhasePlan) -> String {
    let memory = Memory::of(graph, phase, 1, spec);
    let weights = memory.parameters.saturating_add(memory.gradients).saturating_add(memory.optimizer);
    let parts = [
        ("for activations", memory.activations),
        ("for weights, gradients and the optimizer", weights),
        ("for copies of weights", memory.copies),
        ("for images that wait", memory.images),
        ("for images that are kept", memory.cache),
        ("for kernels", memory.scratch),
        ("for the program", PROGRAM),
    ];
    let parts = parts.into_iter().filter(|(_, size)| *size > 0);
    let parts: Vec<String> = parts.map(|(what, size)| format!("{} {what}", bytes(size))).collect();
    let all = bytes(memory.total().saturating_add(PROGRAM));
    format!("phase `{}` needs {all} even for one image at a time: {}", phase.name, parts.join(", "))
}

fn help(spec: &Pipeline) -> String {
    let layerwise = if spec.schedule.layerwise.is_some() {
        "a smaller `group_size` for `layerwise`"
    } else {
        "`layerwise` training"
    };
    format!(
        "what takes less: {layerwise}, a smaller `data.image.size`, more stages frozen from the image up, a smaller \
         `data.batch` (its images wait in memory)"
    )
}

/// Phases whose batch norms see less than a batch at a time.
pub fn warnings(spec: &Pipeline, graph: &Graph, phases: &[PhasePlan]) -> Vec<String> {
    let warning = |phase: &PhasePlan| {
        let of_batch = phase
            .norms
            .iter()
            .enumerate()
            .any(|(node, mode)| *mode == NormMode::Batch && super::norms::is_norm(graph, node));
        (phase.micro_batch < spec.data.batch && of_batch).then(|| {
            format!(
                "phase `{}` computes batches in pieces of {}: its batch norms see each piece alone, not the whole \
                 batch. Give `batch_norm: frozen`, a smaller `data.batch`, or more memory.",
                phase.name, phase.micro_batch
            )
        })
    };
    phases.iter().filter_map(warning).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture;
    use crate::spec::Bytes;

    fn spec(more: &str) -> Pipeline {
        let yaml = format!(
            "{{ name: a, data: {{ source: {{ synthetic: blood_cells }}, image: {{ size: 8 }}, batch: 10, workers: 1 }}, \
             schedule: {{ phases: [{{ name: all, epochs: 1, train: ['*'], lr: 1 }}] }}, {more} }}"
        );
        fixture::yaml(&yaml)
    }

    /// The pieces of the phases, and what is wrong.
    fn settled(spec: &Pipeline) -> (Vec<usize>, Vec<String>) {
        let graph = fixture::net(&["stem", "layer1", "head"]);
        let mut problems = Problems::default();
        let mut phases = super::super::phases(&spec.schedule, &graph, &mut problems);
        settle(spec, &graph, &mut phases, &mut problems);
        let problems = problems.0.iter().map(|problem| format!("{}: {}", problem.path, problem.message));
        (phases.iter().map(|phase| phase.micro_batch).collect(), problems.collect())
    }

    #[test]
    fn a_piece_is_at_most_the_batch_and_what_is_asked_for() {
        let mut spec = spec("");
        assert_eq!(settled(&spec).0, [10]);
        spec.data.micro_batch = Some(4);
        assert_eq!(settled(&spec).0, [4]);
        spec.data.micro_batch = Some(40);
        assert_eq!(settled(&spec).0, [10]);
        spec.memory_budget = Some(Bytes(1 << 40));
        assert_eq!(settled(&spec).0, [10]);
    }

    #[test]
    fn the_piece_is_the_largest_that_fits() {
        let mut spec = spec("");
        let graph = fixture::net(&["stem", "layer1", "head"]);
        let phases = super::super::phases(&spec.schedule, &graph, &mut Problems::default());
        for piece in 1..=10 {
            let need = Memory::of(&graph, &phases[0], piece, &spec).total() + PROGRAM;
            spec.memory_budget = Some(Bytes(need));
            assert_eq!(settled(&spec), (vec![piece], vec![]));
            spec.memory_budget = Some(Bytes(need - 1));
            let (pieces, problems) = settled(&spec);
            if piece > 1 {
                assert_eq!((pieces, problems), (vec![piece - 1], vec![]));
            } else {
                assert!(problems[0].starts_with("memory_budget: phase `all` needs "), "{problems:?}");
            }
        }
        spec.data.micro_batch = Some(3);
        spec.memory_budget = Some(Bytes(1 << 40));
        assert_eq!(settled(&spec).0, [3], "the smaller of both");
    }

    #[test]
    fn no_batch_is_too_large_to_be_counted() {
        let mut spec = spec("");
        spec.data.batch = usize::MAX;
        spec.memory_budget = Some(Bytes(1 << 30));
        assert_eq!(settled(&spec).1.len(), 1);
        spec.memory_budget = None;
        assert_eq!(settled(&spec).0, [usize::MAX]);
    }

    #[test]
    fn batch_norms_over_pieces_are_warned_of() {
        let warned = |micro_batch: usize, norm: &str| {
            let mut spec = spec("");
            spec.data.micro_batch = Some(micro_batch);
            spec.schedule = fixture::yaml(&format!(
                "phases: [{{ name: all, epochs: 1, train: ['*'], lr: 1, batch_norm: {norm} }}]"
            ));
            let graph = fixture::net(&["stem", "head"]);
            let mut phases = super::super::phases(&spec.schedule, &graph, &mut Problems::default());
            settle(&spec, &graph, &mut phases, &mut Problems::default());
            warnings(&spec, &graph, &phases).len()
        };
        assert_eq!((warned(4, "train"), warned(10, "train"), warned(4, "frozen")), (1, 0, 0));
    }
}
