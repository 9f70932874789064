//! What of a phase is computed once and kept: the activations where its frozen prefix ends.

use super::budget::PROGRAM;
use super::{Memory, PhasePlan};
use crate::augment::{Augmentation, ImageAugment};
use crate::layers::{Layer as _, NormMode};
use crate::net::{Graph, NodeId};
use crate::spec::cache::Views;
use crate::spec::data::Split;
use crate::spec::{Bytes, Cache, Pipeline, Precision, Task};
use serde::Serialize;

/// What a phase keeps of its images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseCache {
    /// The node that is the first to run in every epoch. What is kept is what it and the nodes after it take
    /// from before it: [`Graph::live_at`].
    pub at: NodeId,
    /// Values that are kept of an image.
    pub width: usize,
    /// What is kept of the images that train.
    pub training: Training,
    /// The most bytes that are kept in memory: `cache.memory`, or what a `memory_budget` leaves.
    pub room: u64,
    /// Bytes that rows take on their way from the net to where they are kept, and back.
    pub passing: u64,
}

/// What is kept of the images that train.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Training {
    /// They are the same in every epoch.
    Exact,
    /// So many augmented draws of each, in turn.
    Draws(usize),
    /// Nothing, and why.
    Nothing(String),
}

impl Training {
    /// Rows that are kept of an image that trains.
    pub fn rows(&self) -> usize {
        match self {
            Training::Exact => 1,
            Training::Draws(draws) => *draws,
            Training::Nothing(_) => 0,
        }
    }
}

/// Where rows are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In memory.
    Memory,
    /// In a file.
    Disk,
    /// Nowhere: they are too many.
    Nowhere,
}

impl PhaseCache {
    /// What a phase keeps.
    ///
    /// # Errors
    /// Why it keeps nothing.
    pub fn of(spec: &Pipeline, graph: &Graph, phase: &PhasePlan) -> Result<PhaseCache, String> {
        if spec.cache.views == Views::Off {
            return Err("`cache: { views: off }`".to_owned());
        }
        if spec.task == Task::Reconstruct {
            return Err("the images are what is to be given back".to_owned());
        }
        let graph = graph.leaving_by(phase.exit);
        let at = frozen_until(&graph, phase)?;
        let live = graph.live_at(at).into_iter();
        let width = live.fold(0_usize, |sum, source| sum.saturating_add(graph.shape_of(source).count()));
        let piece = phase.micro_batch.min(spec.data.batch);
        // As the net gives them, a row each, and as bytes.
        let passing = (width as u64).saturating_mul(3 * 4).saturating_mul(piece as u64);
        let left = match spec.memory_budget {
            None => u64::MAX,
            Some(Bytes(budget)) => {
                let taken = Memory::of(&graph, phase, piece, spec).total().saturating_add(PROGRAM);
                let left = budget.checked_sub(taken.saturating_add(passing));
                left.ok_or("`memory_budget` leaves no room for what would be kept")?
            }
        };
        let room = spec.cache.memory.0.min(left);
        Ok(PhaseCache { at, width, training: training(spec.cache.views, &spec.augmentation), room, passing })
    }

    /// Bytes of so many rows.
    pub fn bytes(&self, rows: usize, precision: Precision) -> u64 {
        (rows as u64).saturating_mul(self.width as u64).saturating_mul(precision.bytes() as u64)
    }

    /// Rows over so many images that train and that are validated.
    pub fn rows(&self, train: usize, val: usize) -> usize {
        train.saturating_mul(self.training.rows()).saturating_add(val)
    }

    /// Where so many bytes go.
    pub fn place(&self, bytes: u64, cache: &Cache) -> Place {
        if bytes <= self.room {
            Place::Memory
        } else if bytes <= cache.disk.0 {
            Place::Disk
        } else {
            Place::Nowhere
        }
    }
}

/// What is kept besides while the first of some phases goes on, for those that follow: what the frozen part of each gives,
/// the longest first. As they unfreeze, they go on from there, and no image goes through that part again.
///
/// `kept` is what the first keeps, of so many images that train and that are validated. The others are kept in memory, as
/// far as there is room: the shortest first, which serves all, then those that are needed next.
pub fn bases(
    spec: &Pipeline,
    graph: &Graph,
    phases: &[PhasePlan],
    kept: &PhaseCache,
    (train, val): (usize, usize),
) -> Vec<PhaseCache> {
    let Some((first, later)) = phases.split_first() else { return Vec::new() };
    // What is rounded is not computed on from.
    if spec.cache.precision != Precision::F32 {
        return Vec::new();
    }
    let size = |of: &PhaseCache| of.bytes(of.rows(train, val), spec.cache.precision);
    let mut taken = match kept.place(size(kept), &spec.cache) {
        Place::Memory => size(kept),
        Place::Disk => 0,
        Place::Nowhere => return Vec::new(),
    };
    let alike = later.iter().take_while(|phase| phase.exit == first.exit);
    let keeping = alike.map_while(|phase| PhaseCache::of(spec, graph, phase).ok());
    let shorter: Vec<PhaseCache> = keeping.filter(|later| later.at < kept.at).collect();
    let shortest = shorter.iter().min_by_key(|later| later.at);
    let mut bases: Vec<PhaseCache> = Vec::new();
    for base in shortest.into_iter().chain(&shorter) {
        let together = taken.saturating_add(size(base));
        if bases.iter().all(|other| other.at != base.at) && together <= kept.room.min(base.room) {
            taken = together;
            bases.push(base.clone());
        }
    }
    bases.sort_by_key(|base| std::cmp::Reverse(base.at));
    bases
}

/// About how many images train, and how many are validated: as `data.split` says. A source may have splits of
/// its own.
pub fn counts(split: &Split, samples: usize) -> (usize, usize) {
    let left = samples as f64 * (1.0 - split.test_share());
    let train = left * split.train / (split.train + split.val).max(f64::MIN_POSITIVE);
    (train.round() as usize, (left - train).round() as usize)
}

/// The node that is the first to run in every epoch, of a net that ends where the phase's passes do.
///
/// # Errors
/// Why no layer with parameters comes before it.
pub fn frozen_until(graph: &Graph, phase: &PhasePlan) -> Result<NodeId, String> {
    let (at, ends) = constant_until(graph, phase);
    let before = graph.nodes.iter().take(at).enumerate();
    let any = before.filter(|(id, _)| graph.runs(*id)).any(|(_, node)| !node.params.is_empty());
    if any { Ok(at) } else { Err(ends) }
}

/// The first node whose output is not a function of the image alone or that trains, and what it is.
fn constant_until(graph: &Graph, phase: &PhasePlan) -> (NodeId, String) {
    let until = |(id, norm): (usize, &NormMode)| {
        let node = graph.nodes.get(id).filter(|_| graph.runs(id) && id < phase.boundary)?;
        match norm {
            NormMode::Inference if node.layer.is_random() => {
                Some((id, format!("`{}` ({}) draws random numbers", node.name, node.layer.name())))
            }
            NormMode::Inference => None,
            NormMode::Batch | NormMode::Mean(_) => {
                Some((id, format!("`{}` normalizes by the statistics of the batch", node.name)))
            }
        }
    };
    let trains = || match graph.nodes.get(phase.boundary) {
        Some(node) => (phase.boundary, format!("`{}` trains, and it is the first layer", node.name)),
        None => (graph.end(), "nothing trains".to_owned()),
    };
    phase
        .norms
        .iter()
        .enumerate()
        .find_map(until)
        .map_or_else(trains, |(id, why)| (id, format!("{why}, and no frozen layer comes before it")))
}

fn training(views: Views, augmentation: &Augmentation) -> Training {
    if let Some(first) = augmentation.batch.first() {
        return Training::Nothing(format!("`{}` mixes images of a batch", first.name()));
    }
    if augmentation.train.iter().all(ImageAugment::is_fixed) {
        return Training::Exact;
    }
    if augmentation.train.iter().any(ImageAugment::depends_on_epoch) {
        return Training::Nothing("`epochs` varies images in another way from epoch to epoch".to_owned());
    }
    match views {
        Views::Draws(draws) => Training::Draws(draws),
        Views::Exact | Views::Off => Training::Nothing(
            "not of training images, augmented in every epoch: `cache: { views: 8 }` would keep 8 draws".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture;
    use crate::spec::Problems;

    /// A net of two stages with a dropout before its head, and a phase of it.
    fn kept(phase: &str, more: &str) -> Result<PhaseCache, String> {
        let graph = fixture::net(&["stem", "layer1", "head"]);
        let yaml = format!("phases: [{{ name: a, epochs: 1, lr: 0.1, {phase} }}]");
        let mut problems = Problems::default();
        let phase = PhasePlan::resolve(&fixture::drafts(&fixture::yaml(&yaml))[0], &graph, &mut problems);
        assert_eq!(problems, Problems::default());
        let text = format!(
            "{{ name: a, data: {{ source: {{ synthetic: blood_cells }}, image: {{ size: 8 }} }}, layers: [flatten], {more} }}"
        );
        PhaseCache::of(&fixture::yaml(&text), &graph, &phase)
    }

    #[test]
    fn what_is_frozen_before_the_first_layer_that_trains_is_kept() {
        let head = kept("train: [head]", "").unwrap();
        assert_eq!(
            head,
            PhaseCache {
                at: 7,
                width: 8 * 8 * 4,
                training: Training::Exact,
                room: 1 << 30,
                passing: 8 * 8 * 4 * 12 * 32
            }
        );
        let top = kept("train: [head, layer1]", "").unwrap();
        assert_eq!((top.at, top.width), (3, 8 * 8 * 4));
        assert_eq!(kept("train: [stem]", "").unwrap_err(), "`stem.conv` trains, and it is the first layer");
        assert_eq!(kept("train: [head]", "cache: { views: off }").unwrap_err(), "`cache: { views: off }`");
    }

    #[test]
    fn statistics_that_follow_the_batch_end_what_is_kept() {
        let until_norm = kept("train: [head, layer1], batch_norm: { stem: statistics }", "").unwrap();
        assert_eq!(until_norm.at, 1);
    }

    #[test]
    fn augmentation_decides_what_is_kept_of_images_that_train() {
        let training = |augmentation: &str, views: &str| {
            let more = format!("augmentation: {{ {augmentation} }}, cache: {{ views: {views} }}");
            kept("train: [head]", &more).unwrap().training
        };
        assert_eq!(training("train: [resize: { shorter: 9 }, center_crop]", "exact"), Training::Exact);
        assert_eq!(training("train: [resize: { shorter: 9 }, center_crop]", "4"), Training::Exact);
        assert_eq!(training("train: [horizontal_flip: 0.5]", "4"), Training::Draws(4));
        let why = |training| match training {
            Training::Nothing(why) => why,
            kept => panic!("{kept:?}"),
        };
        assert!(why(training("train: [horizontal_flip: 0.5]", "exact")).contains("views: 8"));
        assert!(why(training("batch: [mixup]", "4")).starts_with("`mixup`"));
        let in_one = "train: [sometimes: { p: 0.5, do: [epochs: { from: 2, do: [invert: 1.0] }] }]";
        assert!(why(training(in_one, "4")).starts_with("`epochs`"));
    }

    #[test]
    fn images_are_counted_as_they_are_split() {
        let split = |yaml: &str| counts(&serde_yaml::from_str(yaml).unwrap(), 1000);
        assert_eq!(split("{ train: 0.7, val: 0.15 }"), (700, 150));
        assert_eq!(split("{ train: 0.6, val: 0.2, folds: 5 }"), (600, 200));
        assert_eq!(split("{ train: 0, val: 0, test: 1 }"), (0, 0));
    }

    #[test]
    fn later_phases_go_on_from_what_stays_frozen_until_they_come() {
        let graph = fixture::net(&["stem", "layer1", "layer2", "head"]);
        let at = |trains: &[&str], more: &str| {
            let phase =
                |(number, trains): (usize, &&str)| format!("{{ name: p{number}, epochs: 1, lr: 0.1, {trains} }}");
            let phases: Vec<String> = trains.iter().enumerate().map(phase).collect();
            let mut problems = Problems::default();
            let drafts = fixture::drafts(&fixture::yaml(&format!("phases: [{}]", phases.join(", "))));
            let phases: Vec<PhasePlan> =
                drafts.iter().map(|draft| PhasePlan::resolve(draft, &graph, &mut problems)).collect();
            assert_eq!(problems, Problems::default());
            let spec = fixture::yaml(&format!(
                "{{ name: a, data: {{ source: {{ synthetic: blood_cells }}, image: {{ size: 8 }} }}, \
                 layers: [flatten], {more} }}"
            ));
            let kept = PhaseCache::of(&spec, &graph, &phases[0]).unwrap();
            let bases = bases(&spec, &graph, &phases, &kept, (10, 2));
            bases.into_iter().map(|base| base.at).collect::<Vec<_>>()
        };
        let (head, top, middle) = ("train: [head]", "train: [head, layer2]", "train: [head, layer2, layer1]");
        let of_both = at(&[head, top, middle], "");
        assert!(of_both.len() == 2 && of_both[1] < of_both[0], "{of_both:?}");
        let [of_top, of_middle] = [of_both[0], of_both[1]];
        assert_eq!(at(&[head, top], ""), [of_top]);
        assert_eq!(at(&[head, middle, top, middle], ""), of_both);
        assert_eq!(at(&[top, middle], ""), [of_middle]);
        assert_eq!(at(&[middle, top], ""), Vec::<usize>::new());
        // The stem trains in between.
        assert_eq!(at(&[head, top, "train: [stem]", middle], ""), [of_top]);
        assert_eq!(at(&[head, top], "cache: { precision: f16 }"), Vec::<usize>::new());
        // Each is 12 KiB: room for none besides, for the shortest, for both.
        assert_eq!(at(&[head, top, middle], "cache: { memory: 15kB }"), Vec::<usize>::new());
        assert_eq!(at(&[head, top, middle], "cache: { memory: 26kB }"), [of_middle]);
        assert_eq!(at(&[head, top, middle], "cache: { memory: 38kB }"), of_both);
    }

    #[test]
    fn rows_go_where_there_is_room() {
        let cache: Cache = serde_yaml::from_str("{ disk: 2kB, precision: f16 }").unwrap();
        let kept = PhaseCache { at: 1, width: 100, training: Training::Draws(2), room: 1000, passing: 0 };
        assert_eq!(kept.rows(2, 1), 5);
        let place = |rows| kept.place(kept.bytes(rows, cache.precision), &cache);
        assert_eq!([5, 6, 10, 11].map(place), [Place::Memory, Place::Disk, Place::Disk, Place::Nowhere]);
    }
}
