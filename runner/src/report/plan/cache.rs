//! What a phase computes once and keeps, in figures.

use crate::net::NodeId;
use crate::plan::cache::{PhaseCache, Place, Training, bases, counts};
use crate::plan::{PhasePlan, Plan};
use crate::report::number::bytes;
use serde::Serialize;
use std::fmt;

/// Whether what a phase's frozen prefix gives is computed once and kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CacheReport {
    /// The first layer that runs in every epoch; what comes before it is computed once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// Values that are kept of an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<usize>,
    /// How many augmented draws of an image that trains are kept; 1 where it is the same in every epoch, 0 where
    /// it is computed in every epoch.
    pub draws: usize,
    /// About how many bytes that is, where it is known how many images there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Bytes that they take on their way there and back.
    #[serde(skip)]
    pub passing: u64,
    /// What is kept in memory besides, from which later phases go on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub for_later: Vec<ForLater>,
    /// Where they are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Why nothing is kept, or not of the images that train; or what it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Whether what trains is not what would train without a cache.
    pub exact: bool,
}

/// What is kept for later phases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ForLater {
    /// The first layer that runs in every epoch of the later phase.
    pub layer: String,
    /// Values that are kept of an image.
    pub values: usize,
    /// About how many bytes that is.
    pub bytes: u64,
}

impl CacheReport {
    /// What the phase at a place keeps.
    pub fn of(plan: &Plan, place: usize) -> Self {
        let phases = plan.phases.get(place..).unwrap_or_default();
        let nothing = |why| CacheReport {
            layer: None,
            values: None,
            draws: 0,
            bytes: None,
            passing: 0,
            for_later: Vec::new(),
            place: None,
            why,
            exact: true,
        };
        match phases.first().map(|phase| PhaseCache::of(&plan.spec, &plan.graph, phase)) {
            Some(Ok(kept)) => CacheReport::kept(plan, phases, &kept),
            Some(Err(why)) => nothing(Some(why)),
            None => nothing(None),
        }
    }

    fn kept(plan: &Plan, phases: &[PhasePlan], kept: &PhaseCache) -> Self {
        let cache = &plan.spec.cache;
        let counts = plan.data.samples.map(|samples| counts(&plan.spec.data.split, samples));
        let size = counts.map(|(train, val)| kept.bytes(kept.rows(train, val), cache.precision));
        let place = size.map(|size| kept.place(size, cache));
        let why = match (&kept.training, place) {
            (_, Some(Place::Nowhere)) => {
                Some("there is no room for it: see `cache.memory` and `cache.disk`".to_owned())
            }
            (Training::Nothing(why), _) => Some(why.clone()),
            (Training::Draws(draws), _) => {
                Some(format!("draws are taken in turn: epoch {} trains on those of epoch 1 again", draws + 1))
            }
            (Training::Exact, _) => None,
        };
        let layer =
            |at: NodeId| plan.graph.nodes.get(at).map_or_else(|| "the end".to_owned(), |node| node.name.clone());
        let of_base = |base: PhaseCache, (train, val): (usize, usize)| {
            let bytes = base.bytes(base.rows(train, val), cache.precision);
            ForLater { layer: layer(base.at), values: base.width, bytes }
        };
        let for_later = counts.map_or_else(Vec::new, |counts| {
            let bases = bases(&plan.spec, &plan.graph, phases, kept, counts);
            bases.into_iter().map(|base| of_base(base, counts)).collect()
        });
        CacheReport {
            layer: Some(layer(kept.at)),
            values: Some(kept.width),
            draws: kept.training.rows(),
            bytes: size,
            passing: kept.passing,
            for_later,
            place,
            why,
            exact: !matches!(kept.training, Training::Draws(_)) && cache.precision == crate::spec::Precision::F32,
        }
    }
}

/// `kept up to head.1: 1280 values of each image that is validated, 36 MiB in memory`
impl fmt::Display for CacheReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(layer), Some(values)) = (&self.layer, self.values) else {
            return f.write_str("computes all in every epoch");
        };
        let size = self.bytes.map_or_else(String::new, |size| format!(", {}", bytes(size)));
        let of = match self.draws {
            0 => "each validation image".to_owned(),
            1 => "each image".to_owned(),
            draws => format!("{draws} draws of each image"),
        };
        match self.place {
            Some(Place::Nowhere) => {
                write!(f, "computes all in every epoch: {values} values of {of}{size} have no room")
            }
            Some(Place::Disk) => write!(f, "kept up to {layer}: {values} values of {of}{size} on disk"),
            Some(Place::Memory) => write!(f, "kept up to {layer}: {values} values of {of}{size} in memory"),
            None => write!(f, "kept up to {layer}: {values} values of {of}"),
        }
    }
}

/// `and up to blocks.8.expand_conv for later phases: 4032 values, 2.07 MiB in memory`
impl fmt::Display for ForLater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ForLater { layer, values, bytes: size } = self;
        write!(f, "and up to {layer} for later phases: {values} values, {} in memory", bytes(*size))
    }
}
