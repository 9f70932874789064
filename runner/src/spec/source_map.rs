//! From the path of a value to its place: every error about a spec points at it.

use super::Path;
use super::located::{Located, Position};
use super::node::{Content, Node, Span};
use super::problem::Problem;

/// A text that a spec is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    /// What it is called in messages: the file's path, or `--set`.
    pub name: String,
    /// The text.
    pub text: String,
}

/// The texts of a spec, and where in them each key and value stands.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceMap {
    /// The file, then each `--set`.
    pub sources: Vec<SourceText>,
    /// The values.
    pub root: Node,
}

impl SourceMap {
    /// Where the key at `path` is written; `None` for entries of lists and for what is not there.
    pub fn key(&self, path: &Path) -> Option<Span> {
        let (last, outer) = path.0.split_last()?;
        let outer = Path(outer.to_vec());
        self.root.get(&outer)?.child(last)?.0
    }

    /// Where the value at `path` is written; `None` for what is not there.
    pub fn value(&self, path: &Path) -> Option<Span> {
        self.root.get(path).map(|node| node.span)
    }

    /// Line and column where a span begins.
    pub fn position(&self, span: Span) -> Position {
        let text = self.sources.get(span.source).map_or("", |source| source.text.as_str());
        Position::of(text, span.start)
    }

    /// Puts a problem in its place.
    pub fn locate(&self, problem: &Problem) -> Located {
        let span = self.place(&problem.path, problem.at_key);
        Located { span, message: problem.message.clone(), help: problem.help.clone() }
    }

    /// The place to point at for a path. Where nothing is written at it, the nearest thing around
    /// it; where a value goes over several lines, its key.
    fn place(&self, path: &Path, at_key: bool) -> Span {
        let mut node = &self.root;
        let mut key = None;
        let mut whole = true;
        for segment in &path.0 {
            let Some((next_key, next)) = node.child(segment) else {
                whole = false;
                break;
            };
            (key, node) = (next_key, next);
        }
        match key {
            Some(key) if (whole && at_key) || node.span.is_empty() || self.spreads(key, node) => key,
            _ => self.first_line(node.span),
        }
    }

    /// Whether a value is a list or map with lines of its own.
    fn spreads(&self, key: Span, node: &Node) -> bool {
        let with_key = Span { start: key.start.min(node.span.start), ..node.span };
        !matches!(node.content, Content::Scalar(_)) && self.first_line(with_key) != with_key
    }

    /// The part of a span that lies in its first line.
    fn first_line(&self, span: Span) -> Span {
        let text = self.sources.get(span.source).and_then(|source| source.text.get(span.start..span.end));
        let line = text.unwrap_or_default().split(['\n', '\r']).next().unwrap_or_default();
        Span { end: span.start + line.trim_end().len(), ..span }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::parse::parse;
    use crate::spec::path::Segment;
    use proptest::prelude::*;
    use serde_yaml::Value;

    fn map(text: &str) -> SourceMap {
        let sources = vec![SourceText { name: "spec.yaml".to_owned(), text: text.to_owned() }];
        SourceMap { sources, root: parse(text, 0).unwrap().node.unwrap() }
    }

    fn marked(text: &str, path: &str, at_key: bool) -> String {
        let map = map(text);
        let problem = Problem { at_key, ..Problem::new(Path::of(path), "") };
        let span = map.locate(&problem).span;
        let position = map.position(span);
        format!("{}:{} {}", position.line, position.column, &text[span.start..span.end])
    }

    #[test]
    fn a_problem_is_put_where_a_person_looks_for_it() {
        let text = "a:\n  b: { c: 1 }\n  d:\n    - e: 1\n      f: 2\n  g:\nh: |\n  one\n  two\n";
        assert_eq!(marked(text, "a.b.c", false), "2:11 1");
        assert_eq!(marked(text, "a.b.c", true), "2:8 c");
        assert_eq!(marked(text, "a.b", false), "2:6 { c: 1 }");
        assert_eq!(marked(text, "a", false), "1:1 a", "the key of a map with lines of its own");
        assert_eq!(marked(text, "a.d", false), "3:3 d");
        assert_eq!(marked(text, "a.d.0", false), "4:7 e: 1", "an entry of a list has no key");
        assert_eq!(marked(text, "a.d.0.x", true), "4:7 e: 1", "what lacks the key");
        assert_eq!(marked(text, "a.g", false), "6:3 g", "the key of nothing");
        assert_eq!(marked(text, "a.x.y.z", false), "1:1 a");
        assert_eq!(marked(text, "x", false), "1:1 a:");
        assert_eq!(marked(text, "h", false), "8:3 one");
    }

    /// A value as YAML that exercises both styles, quotes and comments.
    fn write(value: &Value, indent: usize, flow: bool) -> String {
        let pad = " ".repeat(indent);
        match value {
            Value::Sequence(list) if flow || list.is_empty() => {
                format!("[{}]", list.iter().map(|v| write(v, 0, true)).collect::<Vec<_>>().join(", "))
            }
            Value::Mapping(map) if flow || map.is_empty() => {
                let pairs = map.iter().map(|(k, v)| format!("{}: {}", quoted(k), write(v, 0, true)));
                format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
            }
            Value::Sequence(list) => {
                let flow = indent > 4;
                list.iter().map(|v| format!("\n{pad}- {} # é", write(v, indent + 2, flow || nested(v)))).collect()
            }
            Value::Mapping(map) => {
                let flow = indent > 4;
                map.iter().map(|(k, v)| format!("\n{pad}{}: {}", quoted(k), write(v, indent + 2, flow))).collect()
            }
            scalar => quoted(scalar),
        }
    }

    fn nested(value: &Value) -> bool {
        value.is_mapping() || value.is_sequence()
    }

    fn quoted(value: &Value) -> String {
        match value {
            Value::String(text) => format!("{text:?}"),
            other => serde_yaml::to_string(other).unwrap().trim().to_owned(),
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            any::<i32>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            (-1e6f64..1e6).prop_map(Value::from),
            "[a-zé日 :#*,]{0,8}".prop_map(Value::from),
        ];
        scalar.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Sequence),
                prop::collection::btree_map("[a-zé日.*]{1,6}", inner, 0..5)
                    .prop_map(|map| Value::Mapping(map.into_iter().map(|(k, v)| (Value::from(k), v)).collect())),
            ]
        })
    }

    /// Calls `visit` with each path of a value and what is there.
    fn walk(path: &Path, value: &Value, visit: &mut impl FnMut(&Path, &Value)) {
        visit(path, value);
        match value {
            Value::Sequence(list) => list.iter().enumerate().for_each(|(i, v)| walk(&path.index(i), v, visit)),
            Value::Mapping(map) => map.iter().for_each(|(k, v)| walk(&path.key(k.as_str().unwrap()), v, visit)),
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn every_path_is_found_and_points_at_its_text(value in values(), crlf: bool) {
            let mut text = format!("top: {}\n", write(&value, 2, false));
            if crlf {
                text = text.replace('\n', "\r\n");
            }
            let map = map(&text);
            let top = Path::default().key("top");
            let read = map.root.to_value();
            prop_assert_eq!(read.get("top"), Some(&value));
            let mut paths = Vec::new();
            walk(&top, &value, &mut |path, value| paths.push((path.clone(), value.clone())));
            for (path, value) in paths {
                let span = map.value(&path).unwrap();
                let written = &text[span.start..span.end];
                // What stands there is the value; block style is read with its first line's indentation.
                let indentation = " ".repeat(map.position(span).column - 1);
                let read: Value = serde_yaml::from_str(&format!("{indentation}{written}")).unwrap();
                prop_assert_eq!(read, value, "{} in\n{}", path, text);
                if let (Some(Segment::Key(key)), Some(span)) = (path.0.last(), map.key(&path)) {
                    let read: String = serde_yaml::from_str(&text[span.start..span.end]).unwrap();
                    prop_assert_eq!(&read, key);
                }
                let position = map.position(span);
                let line = text.split('\n').nth(position.line - 1).unwrap();
                let rest: String = line.chars().skip(position.column - 1).collect();
                prop_assert!(rest.starts_with(written.lines().next().unwrap_or("")));
            }
        }
    }
}
