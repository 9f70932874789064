//! Shorthand schedules, written out as phases.

use crate::spec::{GradualUnfreeze, LearningRate, Path, PerGroup, Phase, Schedule};

/// A phase whose names are not resolved yet, and where the spec says what of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// The phase as the spec has it, or as the shorthand means it.
    pub phase: Phase,
    /// Where it stands.
    pub at: Place,
}

/// Where a phase stands in the spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Written out: `schedule.phases.I`.
    Written(Path),
    /// Part of `schedule.gradual_unfreeze`.
    Gradual(Path),
}

impl Place {
    /// Where entry `index` of `train` stands.
    pub fn train(&self, index: usize) -> Path {
        self.trains().index(index)
    }

    /// Where the list `train` stands.
    pub fn trains(&self) -> Path {
        match self {
            Place::Written(phase) => phase.key("train"),
            Place::Gradual(shorthand) => shorthand.key("stages"),
        }
    }

    /// Where a setting of the phase stands: `lr`, `batch_norm`.
    pub fn setting(&self, key: &str) -> Path {
        match self {
            Place::Written(at) | Place::Gradual(at) => at.key(key),
        }
    }
}

/// The phases that a schedule means, in order.
pub fn expand(schedule: &Schedule) -> Vec<Draft> {
    let at = Path::of("schedule");
    let written = schedule
        .phases
        .iter()
        .flatten()
        .enumerate()
        .map(|(index, phase)| Draft { phase: phase.clone(), at: Place::Written(at.key("phases").index(index)) });
    let gradual = schedule.gradual_unfreeze.iter().flat_map(|shorthand| {
        let at = Place::Gradual(at.key("gradual_unfreeze"));
        unfreeze(shorthand).into_iter().map(move |phase| Draft { phase, at: at.clone() })
    });
    written.chain(gradual).map(|draft| with_defaults(draft, schedule)).collect()
}

/// The schedule's scheduler and warm-up where the phase has none of its own.
fn with_defaults(mut draft: Draft, schedule: &Schedule) -> Draft {
    let Phase { scheduler, warm_up, .. } = &mut draft.phase;
    *scheduler = scheduler.take().or_else(|| schedule.scheduler.clone());
    *warm_up = warm_up.take().or_else(|| schedule.warm_up.clone());
    draft
}

/// Phase `i` trains the first `i + 1` stages, stage `j` with `lr / decay^j`: the further from the
/// output, the slower (discriminative fine-tuning, Howard and Ruder 2018).
pub fn unfreeze(shorthand: &GradualUnfreeze) -> Vec<Phase> {
    let rates = shorthand.stages.iter().enumerate().map(|(depth, stage)| {
        let rate = shorthand.lr / shorthand.decay.powi(i32::try_from(depth).unwrap_or(i32::MAX));
        (stage.clone(), rate)
    });
    let rates: Vec<(String, f64)> = rates.collect();
    (0..rates.len())
        .map(|newest| {
            let training = &rates[..=newest];
            let stage = &training[newest].0;
            let name = if newest == 0 { stage.clone() } else { format!("+{stage}") };
            let train = training.iter().map(|(stage, _)| stage.clone()).collect();
            let lr = LearningRate::Groups(PerGroup::Map(training.iter().cloned().collect()));
            Phase::new(name, shorthand.every, train, lr)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture;

    fn schedule(yaml: &str) -> Schedule {
        fixture::yaml(yaml)
    }

    #[test]
    fn the_shorthand_is_what_it_looks_like_written_out() {
        let short = schedule("gradual_unfreeze: { every: 2, stages: [head, layer4, layer3], lr: 1e-3, decay: 2 }");
        let long = schedule(
            "
            phases:
              - { name: head,      epochs: 2, train: [head],                 lr: { head: 1e-3 } }
              - { name: '+layer4', epochs: 2, train: [head, layer4],         lr: { head: 1e-3, layer4: 5e-4 } }
              - { name: '+layer3', epochs: 2, train: [head, layer4, layer3], lr: { head: 1e-3, layer4: 5e-4, layer3: 2.5e-4 } }
            ",
        );
        let phases = |schedule: &Schedule| -> Vec<Phase> { expand(schedule).into_iter().map(|d| d.phase).collect() };
        assert_eq!(phases(&short), phases(&long));
    }

    #[test]
    fn places_lead_back_to_what_was_written() {
        let short = expand(&schedule("gradual_unfreeze: { every: 1, stages: [head, layer4], lr: 1e-3 }"));
        assert_eq!(short[1].at.train(1).to_string(), "schedule.gradual_unfreeze.stages.1");
        assert_eq!(short[1].at.setting("lr").to_string(), "schedule.gradual_unfreeze.lr");
        let long = expand(&schedule("phases: [{ name: a, epochs: 1, train: [head], lr: 1e-3 }]"));
        assert_eq!(long[0].at.train(0).to_string(), "schedule.phases.0.train.0");
        assert_eq!(long[0].at.setting("lr").to_string(), "schedule.phases.0.lr");
    }
}
