use super::*;
use crate::spec::Path;

fn node(text: &str) -> Node {
    let parsed = parse(text, 0).unwrap();
    assert_eq!(parsed.faults, []);
    parsed.node.unwrap()
}

fn value_text<'a>(text: &'a str, root: &Node, path: &str) -> &'a str {
    let span = root.get(&Path::of(path)).unwrap().span;
    &text[span.start..span.end]
}

fn message(text: &str) -> String {
    match parse(text, 0) {
        Ok(parsed) => parsed.faults.first().map_or(String::new(), |fault| fault.message.clone()),
        Err(stop) => stop.located().message,
    }
}

#[test]
fn values_are_those_that_serde_yaml_reads() {
    let text = "a: 3e-3\nb: [1e-3, 1., .5, -7, +3, 0x1F, 007, .inf, 1_000]\nc: {d: ~, e: null, f: , g: 'yes', h: yes}\n\
                i: |\n  two\n  lines\nj: \"\\u00e9\"\nk: true\nl: 12345678901234567890\nm: >-\n  folded\n  text\nn: 2024-01-01\n";
    assert_eq!(node(text).to_value(), serde_yaml::from_str::<Value>(text).unwrap());
}

#[test]
fn exponents_without_a_dot_are_numbers() {
    for (text, value) in [("3e-3", 3e-3), ("1e-3", 1e-3), ("5E4", 5e4), ("1.5e+2", 150.0)] {
        assert_eq!(node(text).to_value().as_f64(), Some(value), "{text}");
    }
}

#[test]
fn spans_cover_what_is_written() {
    let text = "a: { b: [1, 'two'], \"c\": é }\r\nd:\r\n  - e: 1\r\n    f: x y\r\n  -\r\n  - [\r\n    3 ]\r\ng:\r\n";
    let root = node(text);
    assert_eq!(value_text(text, &root, "a"), "{ b: [1, 'two'], \"c\": é }");
    assert_eq!(value_text(text, &root, "a.b"), "[1, 'two']");
    assert_eq!(value_text(text, &root, "a.b.1"), "'two'");
    assert_eq!(value_text(text, &root, "a.c"), "é");
    assert_eq!(value_text(text, &root, "d.0"), "e: 1\r\n    f: x y");
    assert_eq!(value_text(text, &root, "d.0.f"), "x y");
    assert_eq!(value_text(text, &root, "d.1"), "");
    assert_eq!(value_text(text, &root, "d.2"), "[\r\n    3 ]");
    assert_eq!(value_text(text, &root, "g"), "");
}

#[test]
fn an_alias_stands_where_it_is_used_and_its_parts_where_they_are_written() {
    let text = "a: &x { b: 1 }\nc: *x\n";
    let root = node(text);
    assert_eq!(root.to_value(), serde_yaml::from_str::<Value>("{a: {b: 1}, c: {b: 1}}").unwrap());
    assert_eq!(value_text(text, &root, "c"), "*x");
    assert_eq!(root.get(&Path::of("c.b")), root.get(&Path::of("a.b")));
}

#[test]
fn merged_keys_give_way_to_own_ones() {
    let text = "base: &base { a: 1, b: 2 }\nother: &other { b: 3, c: 4 }\none: { <<: *base, b: 5 }\n\
                two: { <<: [*base, *other], d: 6 }\n";
    let value = node(text).to_value();
    let expected = "{base: {a: 1, b: 2}, other: {b: 3, c: 4}, one: {b: 5, a: 1}, two: {d: 6, a: 1, b: 2, c: 4}}";
    assert_eq!(value, serde_yaml::from_str::<Value>(expected).unwrap());
    assert!(message("a: { <<: 1 }").contains("`<<`"));
    assert!(message("a: { <<: [[]] }").contains("`<<`"));
}

#[test]
fn what_a_spec_has_no_use_for_is_told() {
    assert_eq!(message("a: 1\nb: 2\na: 3\n"), "the key `a` is given twice");
    assert_eq!(message("a: !!str 3\n"), "the tag `tag:yaml.org,2002:!str` has no meaning in a spec");
    assert_eq!(message("a: 1\n---\nb: 2\n"), "a second document begins here; a spec is one document");
    assert_eq!(message("[a]: 1\n"), "a key is one word, not a list or a map");
    assert_eq!(message(": 1\n"), "a key is missing before this `:`");
    assert_eq!(message("a: &b x\n*b : 1\n"), "an alias cannot be a key");
    assert_eq!(message("a: &b [*b]\n"), "this alias stands inside of what it stands for");
}

#[test]
fn depth_and_number_of_values_are_limited() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(message(&nested(MAX_DEPTH)), "");
    assert_eq!(message(&nested(MAX_DEPTH + 1)), "nested more than 64 levels deep");
    // An alias is as deep as what it stands for.
    let text = |depth: usize| format!("a: &a {}\nb: {}*a{}\n", nested(40), "[".repeat(depth), "]".repeat(depth));
    assert_eq!(message(&text(23)), "");
    assert_eq!(message(&text(24)), "nested more than 64 levels deep");
    assert_eq!(message(&format!("[{}]", "1,".repeat(MAX_VALUES - 1))), "");
    assert!(message(&format!("[{}]", "1,".repeat(MAX_VALUES))).starts_with("a spec holds at most"));
}
