//! What a run says of its spec being saved.

use crate::train::events::ChangedField;
use crate::train::specs;
use console::style;

/// Tensors are named up to this number.
const NAMED: usize = 4;

/// A spec is taken up: a line a change, and when it holds.
///
/// ```text
/// spec saved, taken up as specs/0002.yaml
///   schedule.phases.top.lr   1e-4 → 3e-4            now
///   head.1                   added { dropout: 0.2 } rebuild
/// ```
pub fn applied(number: usize, changes: &[ChangedField]) -> String {
    let width = |of: fn(&ChangedField) -> &str| {
        changes.iter().map(|change| of(change).chars().count()).max().unwrap_or_default()
    };
    let (fields, values) = (width(|change| &change.field), width(|change| &change.change));
    let mut text = format!("{} taken up as {}", style("spec saved,").cyan(), specs::name(number));
    for ChangedField { field, change, class, from_step } in changes {
        let when = from_step.map_or(String::new(), |step| format!(", after step {step}"));
        text += &format!("\n  {field:fields$}   {change:values$}   {class}{when}");
    }
    text
}

/// All of a spec holds now.
pub fn in_effect(number: usize, kept: Option<usize>, initialised: &[String], dropped: &[String]) -> String {
    let mut text = format!("{} is in effect", specs::name(number));
    if let Some(kept) = kept {
        text += &format!("; the net was built anew: {kept} tensors kept");
        for (names, what) in [(initialised, "new"), (dropped, "gone")] {
            if !names.is_empty() {
                text += &format!(", {} {what} ({})", names.len(), some_of(names));
            }
        }
    }
    style(text).dim().to_string()
}

/// A spec is refused.
pub fn rejected(reason: &str) -> String {
    let reason: String = reason.trim_end().lines().map(|line| format!("\n  {line}")).collect();
    format!("{} not taken up, the run goes on by the last good one{reason}", style("spec saved,").yellow())
}

fn some_of(names: &[String]) -> String {
    let more = if names.len() > NAMED { ", ..." } else { "" };
    names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ") + more
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Class;

    #[test]
    fn changes_stand_in_columns() {
        let change = |field: &str, change: &str, class, from_step| ChangedField {
            field: field.to_owned(),
            change: change.to_owned(),
            class,
            from_step,
        };
        let changes = [
            change("schedule.phases.top.lr", "1e-4 → 3e-4", Class::Now, Some(40)),
            change("head.1", "added { dropout: 0.2 }", Class::Rebuild, None),
        ];
        let text = console::strip_ansi_codes(&applied(2, &changes)).into_owned();
        assert_eq!(
            text,
            "spec saved, taken up as specs/0002.yaml\n  \
             schedule.phases.top.lr   1e-4 → 3e-4              now, after step 40\n  \
             head.1                   added { dropout: 0.2 }   rebuild"
        );
        let text = in_effect(2, Some(12), &["head.2.weight".to_owned()], &[]);
        let text = console::strip_ansi_codes(&text).into_owned();
        assert_eq!(
            text,
            "specs/0002.yaml is in effect; the net was built anew: 12 tensors kept, 1 new (head.2.weight)"
        );
    }
}
