use super::*;
use crate::spec::path::Segment;
use proptest::prelude::*;

fn read(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

fn told(old: &str, new: &str) -> Vec<String> {
    let changes = diff(&read(old), &read(new));
    changes.iter().map(|change| format!("{} {}", change.path, change.became())).collect()
}

#[test]
fn changed_added_and_removed_values_are_listed_by_path() {
    assert_eq!(told("{a: {b: 1}, c: 1}", "{c: 1, a: {b: 1}}"), [""; 0]);
    assert_eq!(told("{a: {b: 1}}", "{a: {b: 2}}"), ["a.b 1 → 2"]);
    assert_eq!(told("{a: {b: {c: 1}}, d: 1}", "{a: {}, e: 2}"), ["d removed 1", "a.b removed { c: 1 }", "e added 2"]);
    assert_eq!(told("{a: 1}", "{a: [1]}"), ["a 1 → [1]"], "another kind is one change");
    let (old, new) = ("{o: {adamw: {eps: 1}}}", "{o: {sgd: {}}}");
    assert_eq!(told(old, new), ["o { adamw: { eps: 1 } } → { sgd: {} }"], "another thing is one change");
}

#[test]
fn an_entry_put_in_between_is_one_change() {
    let head = "{head: [{global_avg_pool: {}}, {linear: {out: classes}}]}";
    let with = "{head: [{global_avg_pool: {}}, {dropout: 0.2}, {linear: {out: classes}}]}";
    assert_eq!(told(head, with), ["head.1 added { dropout: 0.2 }"]);
    assert_eq!(told(with, head), ["head.1 removed { dropout: 0.2 }"]);
    let other = "{head: [{batch_norm: {}}, {global_avg_pool: {}}, {dropout: 0.3}, {linear: {out: classes}}]}";
    assert_eq!(told(with, other), ["head.0 added { batch_norm: {} }", "head.2.dropout 0.2 → 0.3"]);
    assert_eq!(told("{a: [{dropout: 0.1}]}", "{a: [{relu: {}}]}"), ["a.0 { dropout: 0.1 } → { relu: {} }"]);
    assert_eq!(told("{a: [1, 2, 3]}", "{a: [0, 1, 3, 4]}"), ["a.0 added 0", "a.1 removed 2", "a.3 added 4"]);
}

#[test]
fn entries_with_names_are_compared_by_name() {
    let phase = |name: &str, lr: &str| format!("{{name: {name}, lr: {lr}}}");
    let phases = |list: &[String]| format!("{{phases: [{}]}}", list.join(", "));
    let (head, top, all) = (phase("head", "1e-3"), phase("top", "{layer4: 1e-4}"), phase("all", "1e-5"));
    let old = phases(&[head.clone(), top.clone(), all.clone()]);
    let warm = phase("warm", "1");
    assert_eq!(
        told(&old, &phases(&[head.clone(), warm, top.clone(), all.clone()])),
        ["phases.1 added { name: warm, lr: 1 }"]
    );
    assert_eq!(
        told(&old, &phases(&[head.clone(), all.clone()])),
        ["phases.1 removed { name: top, lr: { layer4: 1e-4 } }"]
    );
    assert_eq!(told(&old, &phases(&[all.clone(), head.clone(), top.clone()])), ["phases.0 moved from place 3 to 1"]);
    let changes = diff(&read(&old), &read(&phases(&[top.replace("1e-4", "3e-4"), head, all])));
    assert_eq!(
        text(&changes),
        "phases.top             moved from place 2 to 1\n\
         phases.top.lr.layer4   1e-4 → 3e-4"
    );
    assert_eq!(changes[1].path, Path::of("phases.0.lr.layer4"));
    assert_eq!(changes[1].entry.as_deref(), Some("top"));
    let twice = "{phases: [{name: a, x: 1}, {name: a, x: 2}]}";
    assert_eq!(told(twice, "{phases: [{name: a, x: 2}]}"), ["phases.0 removed { name: a, x: 1 }"], "not by name");
}

#[test]
fn values_are_shown_short_and_exact() {
    for (value, expected) in [
        ("0.0001", "1e-4"),
        ("0.05", "0.05"),
        ("0.0025", "0.0025"),
        ("0.00025", "2.5e-4"),
        ("1.0", "1"),
        ("250000000.0", "2.5e8"),
        ("0.1234567", "0.1234567"),
        (".inf", ".inf"),
        ("12345678", "12345678"),
        ("text with spaces", "text with spaces"),
        ("'*'", "\"*\""),
        ("'0.5'", "\"0.5\""),
        ("'a: b'", "\"a: b\""),
        ("\"a\\nb\\e[1m\"", "\"a\\nb\\u{1b}[1m\""),
        ("''", "\"\""),
        ("[1, [], {a: ~}]", "[1, [], { a: null }]"),
    ] {
        let changes = diff(&read("{}"), &read(&format!("{{ a: {value} }}")));
        assert_eq!(changes[0].became(), format!("added {expected}"));
    }
    let long = format!("{{ a: [{}] }}", ["layer"; 40].join(", "));
    let became = diff(&read("{}"), &read(&long))[0].became();
    assert_eq!(became.chars().count(), "added ".len() + 48);
    assert!(became.ends_with(", laye…"), "{became}");
}

#[test]
fn very_long_lists_are_compared_by_place() {
    let list = |from: usize| Value::from((from..from + 2000).map(Value::from).collect::<Vec<_>>());
    let changes = diff(&list(0), &list(1));
    assert_eq!(changes.len(), 2000);
    assert!(changes.iter().all(|change| change.kind == ChangeKind::Changed));
}

/// Any value of few keys and numbers, so that two of them have something in common. Lists may be of
/// entries with names.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![(0..3_u64).prop_map(Value::from), "[ab]".prop_map(Value::from), Just(Value::Null)];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let map =
            |values: Vec<(String, Value)>| Value::Mapping(values.into_iter().map(|(k, v)| (k.into(), v)).collect());
        let named = proptest::sample::subsequence(vec!["a", "b", "c", "d", "e"], 0..5).prop_shuffle();
        let named = (named, prop::collection::vec(inner.clone(), 5)).prop_map(move |(names, values)| {
            let entry = |(name, value): (&str, Value)| map(vec![("name".into(), name.into()), ("x".into(), value)]);
            Value::Sequence(names.into_iter().zip(values).map(entry).collect())
        });
        prop_oneof![
            prop::collection::vec(("[abc]", inner.clone()), 0..4).prop_map(map),
            prop::collection::vec(inner, 0..5).prop_map(Value::Sequence),
            named,
        ]
    })
}

/// The first value with the changes made: by what is told alone.
fn applied(old: &Value, at: (&Path, &Path), changes: &[Change]) -> Value {
    let at_key = |key: &Value| (at.0.key(key_text(key)), at.1.key(key_text(key)));
    let find = |path: &Path, kind| changes.iter().find(|change| change.kind == kind && change.path == *path);
    if let Some(change) = find(at.1, ChangeKind::Changed) {
        assert_eq!(change.old.as_ref(), Some(old));
        return change.new.clone().unwrap();
    }
    match old {
        Value::Mapping(map) => {
            let mut new: Mapping = map
                .iter()
                .filter(|(key, _)| find(&at_key(key).0, ChangeKind::Removed).is_none())
                .map(|(key, value)| {
                    let (old, new) = at_key(key);
                    (key.clone(), applied(value, (&old, &new), changes))
                })
                .collect();
            for change in changes.iter().filter(|change| change.kind == ChangeKind::Added) {
                if let (Some(Segment::Key(key)), true) =
                    (change.path.0.last(), change.path.parent().as_ref() == Some(at.1))
                {
                    new.insert(Value::from(key.as_str()), change.new.clone().unwrap());
                }
            }
            Value::Mapping(new)
        }
        Value::Sequence(list) => {
            let added = |j: &usize| find(&at.1.index(*j), ChangeKind::Added).and_then(|change| change.new.clone());
            let moved =
                |j: &usize| find(&at.1.index(*j), ChangeKind::Moved).and_then(|change| change.old.as_ref()?.as_u64());
            let gone = (0..list.len()).filter(|i| find(&at.0.index(*i), ChangeKind::Removed).is_some()).count();
            let came = changes.iter().filter(|change| change.kind == ChangeKind::Added);
            let came = came.filter(|change| matches!(change.path.0.last(), Some(Segment::Index(_))));
            let came = came.filter(|change| change.path.parent().as_ref() == Some(at.1)).count();
            let length = list.len() - gone + came;
            let away: Vec<usize> = (0..length).filter_map(|j| moved(&j)).map(|from| from as usize - 1).collect();
            let stays = |i: &usize| find(&at.0.index(*i), ChangeKind::Removed).is_none() && !away.contains(i);
            let mut rest = (0..list.len()).filter(stays);
            let entry = |j: usize| {
                added(&j).unwrap_or_else(|| {
                    let i = moved(&j).map_or_else(|| rest.next().unwrap(), |from| from as usize - 1);
                    applied(&list[i], (&at.0.index(i), &at.1.index(j)), changes)
                })
            };
            Value::Sequence((0..length).map(entry).collect())
        }
        other => other.clone(),
    }
}

/// The value at a path, keys being texts.
fn get<'a>(value: &'a Value, path: &Path) -> Option<&'a Value> {
    path.0.iter().try_fold(value, |value, segment| match segment {
        Segment::Key(key) => value.get(key.as_str()),
        Segment::Index(index) => value.get(index),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_is_told_makes_the_second_of_the_first(old in value(), new in value()) {
        let changes = diff(&old, &new);
        let top = Path::default();
        prop_assert_eq!(&applied(&old, (&top, &top), &changes), &new, "{:?}", changes);
        for change in &changes {
            let (spec, value) = if change.kind == ChangeKind::Removed { (&old, &change.old) } else { (&new, &change.new) };
            if change.kind != ChangeKind::Moved {
                prop_assert_eq!(get(spec, &change.path), value.as_ref());
                prop_assert_ne!(&change.old, &change.new);
            }
        }
        prop_assert_eq!(changes.is_empty(), old == new);
    }

    #[test]
    fn one_entry_more_is_one_change(list in prop::collection::vec(value(), 0..6), more in value(), place: prop::sample::Index) {
        let mut longer = list.clone();
        longer.insert(place.index(list.len() + 1), more.clone());
        let (old, new) = (Value::Sequence(list), Value::Sequence(longer));
        for (old, new, kind) in [(&old, &new, ChangeKind::Added), (&new, &old, ChangeKind::Removed)] {
            let changes = diff(old, new);
            prop_assert_eq!(changes.len(), 1);
            prop_assert_eq!(changes[0].kind, kind);
        }
    }
}
