//! Patterns over tensor names, in which `*` stands for anything.

/// Whether `name` is what `pattern` says: `*` matches any run of characters, dots included, also none.
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    let middle = parts.try_fold(rest, |rest, part| rest.find(part).map(|at| &rest[at + part.len()..]));
    middle.is_some_and(|rest| rest.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_match_anything() {
        for (pattern, name) in [
            ("fc.weight", "fc.weight"),
            ("_fc.*", "_fc.bias"),
            ("*", ""),
            ("*.running_*", "layer1.0.bn1.running_mean"),
            ("a*b*a", "aba"),
            ("a**a", "aa"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("fc", "fc.weight"), ("_fc.*", "fc.bias"), ("", "a"), ("a*a", "a"), ("a*b*a", "aa")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
