use super::*;
use crate::plan::fixture;
use crate::spec::reload::RunningPhase;
use proptest::prelude::*;

fn under_way(done: &[&str], running: Option<(&str, usize)>) -> UnderWay {
    UnderWay {
        done: done.iter().map(|&name| name.to_owned()).collect(),
        running: running.map(|(name, epochs)| RunningPhase { name: name.to_owned(), epochs }),
    }
}

/// A plan of a schedule in a net of some stages.
struct Planned {
    schedule: Schedule,
    graph: Graph,
    phases: Vec<PhasePlan>,
}

impl Planned {
    fn new(stages: &[&str], schedule: &str) -> Self {
        let (schedule, graph): (Schedule, _) = (fixture::yaml(schedule), fixture::net(stages));
        let mut problems = Problems::default();
        let phases = crate::plan::phases(&schedule, &graph, &mut problems);
        assert_eq!(problems, Problems::default());
        Planned { schedule, graph, phases }
    }

    fn side(&self) -> Side<'_> {
        Side { schedule: &self.schedule, graph: &self.graph, phases: &self.phases }
    }
}

/// Phases of 3 epochs each, the head training in all: `a`, or `a: 5` for another number of epochs.
fn plan(phases: &[&str]) -> Planned {
    let phase = |text: &&str| {
        let (name, epochs) = text.split_once(": ").unwrap_or((text, "3"));
        format!("{{ name: {name}, epochs: {epochs}, train: [head], lr: 1 }}")
    };
    let phases: Vec<String> = phases.iter().map(phase).collect();
    Planned::new(&["head"], &format!("phases: [{}]", phases.join(", ")))
}

/// The place of the phase that runs, why it ends, and the names of those that follow.
type GoesOn = (Option<usize>, Option<String>, Vec<String>);

/// How a run of the phases `a`, `b`, `c` goes on.
fn goes_on(under_way: &UnderWay, new: &[&str]) -> Result<GoesOn, Vec<String>> {
    let (old, new) = (plan(&["a", "b", "c"]), plan(new));
    match course(under_way, old.side(), new.side()) {
        Ok(course) => {
            let next = course.next.map_or(&[][..], |next| &new.phases[next..]);
            Ok((course.running, course.ends, next.iter().map(|phase| phase.name.clone()).collect()))
        }
        Err(problems) => {
            let told = |problem: &Problem| format!("{}: {}", problem.path, problem.message);
            Err(problems.0.iter().map(told).collect())
        }
    }
}

#[test]
fn phases_that_have_not_begun_come_and_go() {
    let b = under_way(&["a"], Some(("b", 1)));
    for (new, running, next) in [
        (&["a", "b", "c"][..], 1, &["c"][..]),
        (&["a", "b", "x", "c"], 1, &["x", "c"]),
        (&["a", "b"], 1, &[]),
        (&["a", "b", "c", "y"], 1, &["c", "y"]),
        (&["b", "c"], 0, &["c"]),
        (&["a", "b: 2", "z", "c"], 1, &["z", "c"]),
    ] {
        let next = next.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(goes_on(&b, new), Ok((Some(running), None, next)), "{new:?}");
    }
    let none: Vec<String> = Vec::new();
    assert_eq!(goes_on(&under_way(&[], None), &["x", "a"]).map(|(_, _, next)| next.len()), Ok(2));
    assert_eq!(goes_on(&under_way(&["a", "b"], Some(("c", 0))), &["a", "b", "c"]), Ok((Some(2), None, none)));
}

#[test]
fn the_phase_that_runs_may_be_shortened_and_ended() {
    let b = under_way(&["a"], Some(("b", 2)));
    let ends = |why: &str| Some(why.to_owned());
    let c = vec!["c".to_owned()];
    let why = "the spec gives it 2 epochs, and 2 are done";
    assert_eq!(goes_on(&b, &["a", "b: 2", "c"]), Ok((Some(1), ends(why), c.clone())));
    let why = "the spec gives it 1 epoch, and 2 are done";
    assert_eq!(goes_on(&b, &["a", "b: 1", "c"]), Ok((Some(1), ends(why), c.clone())));
    assert_eq!(goes_on(&b, &["a", "c"]), Ok((None, ends("the spec no longer has it"), c.clone())));
    assert_eq!(goes_on(&b, &["c"]), Ok((None, ends("the spec no longer has it"), c)));
    assert_eq!(goes_on(&b, &["a"]), Ok((None, ends("the spec no longer has it"), vec![])));
}

#[test]
fn what_would_never_run_is_refused_at_its_place() {
    let b = under_way(&["a"], Some(("b", 1)));
    let never = |path: &str, name: &str, last: &str| {
        Err(vec![format!("schedule.phases.{path}.name: `{name}` would never run: it stands before {last}")])
    };
    assert_eq!(goes_on(&b, &["a", "x", "b", "c"]), never("1", "x", "`b`, which runs"));
    assert_eq!(goes_on(&b, &["a", "c", "b"]), never("1", "c", "`b`, which runs"));
    assert_eq!(goes_on(&b, &["x", "a", "c"]), never("0", "x", "`a`, which is done"));
    let again = "`a` would not run again: it is done, and stands after `b`, which runs";
    assert_eq!(goes_on(&b, &["b", "a"]), Err(vec![format!("schedule.phases.1.name: {again}")]));
}

/// Why a phase `top`, running in a net, cannot go on as another in perhaps another net.
fn refusal(old: &str, new: &str, stages: &[&str]) -> Option<String> {
    let yaml = |settings: &str| format!("phases: [{{ name: top, epochs: 4, lr: 1, {settings} }}]");
    let old = Planned::new(&["stem", "layer1", "head"], &yaml(old));
    let new = Planned::new(stages, &yaml(new));
    let problems = course(&under_way(&[], Some(("top", 1))), old.side(), new.side()).err()?;
    let [problem] = problems.0.as_slice() else { panic!("{problems:?}") };
    let help = "let it end with the epoch that runs (`epochs: 2`), and add a phase of another name after it";
    assert_eq!(problem.help.as_deref(), Some(help));
    let what = problem.message.strip_prefix("what trains in `top` cannot change while it runs: ").unwrap();
    Some(format!("{}: {what}", problem.path))
}

#[test]
fn what_trains_in_the_phase_that_runs_cannot_change() {
    let net = ["stem", "layer1", "head"];
    let refused = |old, new| refusal(old, new, &net).unwrap();
    let top = "train: [head, layer1]";
    assert_eq!(
        refused("train: [head]", top),
        "schedule.phases.0.train: `layer1.conv.weight` and 2 more would begin to train"
    );
    assert_eq!(
        refused(top, "train: [layer1]"),
        "schedule.phases.0.train: `head.linear.weight` and 1 more would be frozen"
    );
    assert_eq!(
        refused(top, "train: [head, layer1], batch_norm: { stem: statistics, layer1: train }"),
        "schedule.phases.0.batch_norm: the statistics of `stem.bn` would follow the batch"
    );
    // The same groups otherwise written, and other rates, are no change of what trains.
    for other in
        ["train: [layer1, head]", "train: [head, '*'], batch_norm: { '*': frozen }", "train: ['re:head|layer1']"]
    {
        let frozen = "train: [head, layer1, stem], batch_norm: frozen";
        let old = if other.contains('*') { frozen } else { top };
        assert_eq!(refusal(old, other, &net), None, "{other}");
    }
    assert_eq!(refusal(top, "train: [head, layer1], weight_decay: 0.1, scheduler: cosine", &net), None);
}

#[test]
fn layers_that_come_and_go_do_not_count() {
    let more = ["stem", "layer1", "layer2", "head"];
    assert_eq!(refusal("train: [head, layer1]", "train: [head, layer1]", &more), None);
    assert_eq!(refusal("train: ['*']", "train: ['*']", &more), None);
    assert_eq!(refusal("train: ['*']", "train: ['*']", &["stem", "head"]), None);
    assert!(refusal("train: ['*']", "train: [head]", &["stem", "head"]).is_some());
}

#[test]
fn shorthands_go_by_the_names_of_what_they_mean() {
    let stages = ["stem", "layer1", "head"];
    let old = Planned::new(&stages, "gradual_unfreeze: { every: 3, lr: 1 }");
    let longer = Planned::new(&stages, "gradual_unfreeze: { every: 5, lr: 0.1 }");
    let run = under_way(&["head"], Some(("+layer1", 2)));
    let expected = Course { running: Some(1), ends: None, next: Some(2) };
    assert_eq!(course(&run, old.side(), longer.side()), Ok(expected));
    let other = Planned::new(&stages, "gradual_unfreeze: { every: 3, lr: 1, stages: [stem, layer1] }");
    let problems = course(&run, old.side(), other.side()).unwrap_err();
    let told: Vec<_> = problems.0.iter().map(|problem| (problem.path.to_string(), problem.at_key)).collect();
    assert_eq!(told, [("schedule.gradual_unfreeze".to_owned(), true), ("schedule.gradual_unfreeze".to_owned(), true)]);
    assert!(problems.0[0].message.starts_with("`stem` would never run"));
}

/// Some of the phases `a` to `f` in some order, each with some epochs.
fn phases() -> impl Strategy<Value = Vec<(&'static str, usize)>> {
    let names = proptest::sample::subsequence(vec!["a", "b", "c", "d", "e", "f"], 1..=6).prop_shuffle();
    (names, prop::collection::vec(1..5_usize, 6)).prop_map(|(names, epochs)| names.into_iter().zip(epochs).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn each_new_phase_runs_once_in_order_or_the_edit_is_refused(
        old in phases(),
        new in phases(),
        begun: prop::sample::Index,
        epochs in 0..5_usize,
        between: bool,
    ) {
        let text = |phases: &[(&str, usize)]| phases.iter().map(|(name, epochs)| format!("{name}: {epochs}")).collect::<Vec<_>>();
        let planned = |phases: &[(&str, usize)]| plan(&text(phases).iter().map(String::as_str).collect::<Vec<_>>());
        let begun = begun.index(old.len());
        let done: Vec<&str> = old[..begun].iter().map(|(name, _)| *name).collect();
        let running = (!between).then_some(old[begun]);
        let run = under_way(&done, running.map(|(name, _)| (name, epochs)));
        let (old, new_plan) = (planned(&old), planned(&new));
        let names: Vec<&str> = new.iter().map(|(name, _)| *name).collect();
        let has_begun = |name: &str| done.contains(&name) || running.is_some_and(|(running, _)| running == name);
        if let Ok(course) = course(&run, old.side(), new_plan.side()) {
            let running = running.map(|(name, _)| name).filter(|name| names.contains(name));
            prop_assert_eq!(course.running.map(|place| names[place]), running);
            let then: Vec<&str> = course.next.map_or(vec![], |next| names[next..].to_vec());
            let to_come: Vec<&str> = names.iter().copied().filter(|name| !has_begun(name)).collect();
            prop_assert_eq!(then, to_come);
            let goes_on = course.running.is_some_and(|place| new[place].1 > epochs);
            prop_assert_eq!(course.ends.is_none(), goes_on || between);
        } else {
            // Only an order in which something that has not begun comes before something that has, or what
            // is done after what runs.
            let last = running.and_then(|(name, _)| names.iter().position(|other| *other == name));
            let begun: Vec<bool> = names.iter().map(|name| has_begun(name)).collect();
            let sorted = begun.windows(2).all(|pair| pair[0] || !pair[1]);
            let after = last.is_some_and(|last| names[last + 1..].iter().any(|name| done.contains(name)));
            prop_assert!(!sorted || after);
        }
    }
}
