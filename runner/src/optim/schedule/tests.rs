//! Properties of schedulers.

use super::*;
use crate::regularize::{Measured, Metric};
use proptest::prelude::*;

fn shares() -> impl Strategy<Value = f64> {
    0.0..=1.0
}

/// A scheduler that depends on the clock alone, and the factors that it has at its first step and
/// towards its end.
fn schedulers() -> impl Strategy<Value = Scheduler> {
    prop_oneof![
        Just(Scheduler::default()),
        (1_u64..9, 0.01..1.0).prop_map(|(every, factor)| Scheduler::Step(StepDecay { every, factor })),
        (shares(), 0_u32..5).prop_map(|(min, restarts)| Scheduler::Cosine(Cosine { min, restarts })),
        (shares(), 0.001..1.0, 1e-6..1.0).prop_map(|(rise, start, end)| Scheduler::OneCycle(OneCycle {
            rise,
            start,
            end
        })),
        (0.01..1.0).prop_map(|factor| Scheduler::Exponential(Exponential { factor })),
        (0.1..4.0, shares()).prop_map(|(power, end)| Scheduler::Polynomial(Polynomial { power, end })),
    ]
}

fn curve(scheduler: &Scheduler, warm_up: Option<&WarmUp>, epochs: u64, steps_per_epoch: u64) -> Vec<f64> {
    let steps = epochs * steps_per_epoch;
    (0..steps)
        .map(|step| factor(scheduler, warm_up, Clock { step, steps, steps_per_epoch }, &History::default()))
        .collect()
}

fn falls(curve: &[f64]) -> bool {
    curve.is_sorted_by(|a, b| *b <= a + 1e-12)
}

fn rises(curve: &[f64]) -> bool {
    curve.is_sorted_by(|a, b| *b >= a - 1e-12)
}

proptest! {
    #[test]
    fn factors_stay_between_nothing_and_one(scheduler in schedulers(), epochs in 1_u64..9, per in 1_u64..9) {
        for factor in curve(&scheduler, None, epochs, per) {
            prop_assert!((0.0..=1.0 + 1e-12).contains(&factor), "{factor}");
        }
    }

    #[test]
    fn they_begin_at_lr_and_fall_where_they_should(scheduler in schedulers(), epochs in 1_u64..9, per in 1_u64..9) {
        let curve = curve(&scheduler, None, epochs, per);
        match &scheduler {
            Scheduler::OneCycle(cycle) => {
                let top = curve.iter().copied().fold(0.0, f64::max);
                let place = curve.iter().position(|factor| (factor - top).abs() < 1e-12).unwrap();
                prop_assert!(rises(&curve[..=place]) && falls(&curve[place..]), "{curve:?}");
                if (cycle.rise * curve.len() as f64 - 1.0) >= 1.0 {
                    prop_assert!((curve[0] - cycle.start).abs() < 1e-12);
                }
                if cycle.rise < 1.0 - 1e-9 && curve.len() > 1 {
                    prop_assert!((curve[curve.len() - 1] - cycle.end).abs() < 1e-9, "{curve:?}");
                }
            }
            Scheduler::Cosine(Cosine { restarts, .. }) if *restarts > 0 => prop_assert!((curve[0] - 1.0).abs() < 1e-12),
            _ => {
                prop_assert!((curve[0] - 1.0).abs() < 1e-12);
                prop_assert!(falls(&curve), "{curve:?}");
            }
        }
    }

    #[test]
    fn after_a_warm_up_it_is_a_shorter_phase(
        scheduler in schedulers(),
        from in shares(),
        length in 1_u64..12,
        epochs in 1_u64..9,
        per in 1_u64..9,
    ) {
        let warm_up = WarmUp { epochs: None, steps: Some(length), from };
        let curve = curve(&scheduler, Some(&warm_up), epochs, per);
        let length = length.min(epochs * per);
        let (warming, rest) = curve.split_at(length as usize);
        prop_assert!((warming[0] - from).abs() < 1e-12);
        prop_assert!(rises(warming) && warming.iter().all(|factor| *factor <= 1.0));
        let steps = epochs * per - length;
        for (step, factor) in (0..).zip(rest) {
            let alone = scheduler.factor(Clock { step, steps, steps_per_epoch: per }, &History::default());
            prop_assert!((factor - alone).abs() < 1e-15);
        }
    }

    #[test]
    fn restarts_are_equal_parts(min in shares(), restarts in 1_u32..5, part in 1_u64..9) {
        let parts = u64::from(restarts) + 1;
        let curve = curve(&Scheduler::Cosine(Cosine { min, restarts }), None, parts, part);
        let alone = self::curve(&Scheduler::Cosine(Cosine { min, restarts: 0 }), None, 1, part);
        for cycle in curve.chunks(part as usize) {
            prop_assert!(cycle.iter().zip(&alone).all(|(a, b)| (a - b).abs() < 1e-12), "{curve:?}");
        }
    }

    #[test]
    fn a_plateau_is_a_function_of_what_was_measured(values in prop::collection::vec(0.0..2.0, 0..30), patience in 1_usize..5) {
        let plateau = ReduceOnPlateau { patience, factor: 0.5, min: 0.1, ..ReduceOnPlateau::default() };
        let mut history = History::default();
        let mut before = 1.0;
        for value in values {
            history.push(Measured { val_loss: Some(value), ..Measured::default() });
            let factor = plateau.factor(&history);
            prop_assert!((0.1..=before).contains(&factor));
            before = factor;
        }
    }
}

#[test]
fn plateaus_are_counted_one_after_the_other() {
    let plateau = ReduceOnPlateau { patience: 2, factor: 0.1, min: 0.005, ..ReduceOnPlateau::default() };
    let mut history = History::default();
    let mut factors = Vec::new();
    for value in [1.0, 0.9, 0.95, 0.9, 0.8, 0.9, 0.9, f64::NAN, 0.9, 0.9, 0.9] {
        history.push(Measured { val_loss: Some(value), ..Measured::default() });
        factors.push(plateau.factor(&history));
    }
    let expected = [1.0, 1.0, 1.0, 0.1, 0.1, 0.1, 0.01, 0.01, 0.005, 0.005, 0.005];
    assert!(factors.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{factors:?}");
    assert_eq!(history.values(Metric::ValLoss).count(), 11);
}

#[test]
fn a_phase_of_one_step_takes_it_at_the_full_rate() {
    for name in ["constant", "cosine", "one_cycle", "polynomial"] {
        let scheduler: Scheduler = serde_yaml::from_str(name).unwrap();
        assert_eq!(curve(&scheduler, None, 1, 1), [1.0], "{name}");
    }
}

#[test]
fn every_bad_value_is_noted_at_its_key() {
    for (yaml, paths) in [
        ("step: { every: 0, factor: 0 }", vec!["step.every", "step.factor"]),
        ("cosine: { min: 1.1, restarts: 10001 }", vec!["cosine.min", "cosine.restarts"]),
        ("one_cycle: { rise: 2, start: 0, end: -1 }", vec!["one_cycle.rise", "one_cycle.start", "one_cycle.end"]),
        ("exponential: { factor: .nan }", vec!["exponential.factor"]),
        ("polynomial: { power: 0, end: 2 }", vec!["polynomial.power", "polynomial.end"]),
        (
            "reduce_on_plateau: { factor: 1, patience: 0, min_delta: -1, min: -1 }",
            ["factor", "patience", "min_delta", "min"]
                .map(|key| ["reduce_on_plateau.", key].concat().leak() as &str)
                .to_vec(),
        ),
    ] {
        let scheduler: Scheduler = serde_yaml::from_str(yaml).unwrap();
        let mut problems = Problems::default();
        scheduler.check(&Path::default(), &mut problems);
        let found: Vec<String> = problems.0.iter().map(|problem| problem.path.to_string()).collect();
        assert_eq!(found, paths, "{yaml}");
    }
    for (yaml, path) in
        [("{}", ""), ("{ epochs: 1, steps: 3 }", "steps"), ("{ epochs: 0 }", "epochs"), ("{ steps: 0 }", "steps")]
    {
        let warm_up: WarmUp = serde_yaml::from_str(yaml).unwrap();
        let mut problems = Problems::default();
        warm_up.check(&Path::default(), &mut problems);
        assert_eq!(problems.0.iter().map(|problem| problem.path.to_string()).collect::<Vec<_>>(), [path], "{yaml}");
    }
}
