//! What a phase computes once and keeps, in figures.

use crate::plan::cache::{PhaseCache, Place, Training, counts};
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
    /// Where they are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<&'static str>,
    /// Why nothing is kept, or not of the images that train.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Whether what trains is not what would train without a cache.
    pub exact: bool,
}

impl CacheReport {
    /// What a phase keeps.
    pub fn of(plan: &Plan, phase: &PhasePlan) -> Self {
        match PhaseCache::of(&plan.spec, &plan.graph, phase) {
            Ok(kept) => CacheReport::kept(plan, &kept),
            Err(why) => CacheReport {
                layer: None,
                values: None,
                draws: 0,
                bytes: None,
                passing: 0,
                place: None,
                why: Some(why),
                exact: true,
            },
        }
    }

    fn kept(plan: &Plan, kept: &PhaseCache) -> Self {
        let cache = &plan.spec.cache;
        let counts = plan.data.samples.map(|samples| counts(&plan.spec.data.split, samples));
        let size = counts.map(|(train, val)| kept.bytes(kept.rows(train, val), cache.precision));
        let place = size.map(|size| kept.place(size, cache));
        let why = match (&kept.training, place) {
            (_, Some(Place::Nowhere)) => {
                Some("there is no room for it: see `cache.memory` and `cache.disk`".to_owned())
            }
            (Training::Nothing(why), _) => Some(why.clone()),
            (Training::Exact | Training::Draws(_), _) => None,
        };
        CacheReport {
            layer: Some(plan.graph.nodes.get(kept.at).map_or_else(|| "the end".to_owned(), |node| node.name.clone())),
            values: Some(kept.width),
            draws: kept.training.rows(),
            bytes: size,
            passing: kept.passing,
            place: place.map(Place::name),
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
            Some("nowhere") => write!(f, "computes all in every epoch: {values} values of {of}{size} have no room"),
            Some("disk") => write!(f, "kept up to {layer}: {values} values of {of}{size} on disk"),
            Some(_) => write!(f, "kept up to {layer}: {values} values of {of}{size} in memory"),
            None => write!(f, "kept up to {layer}: {values} values of {of}"),
        }
    }
}
