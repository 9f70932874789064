//! The scores of a split: a table of classes and the confusion matrix.

use crate::metrics::{Confusion, Scores, per_class};
use console::{measure_text_width, pad_str};
use std::fmt::Write;

/// A line of the split's scores.
pub fn summary(scores: &Scores) -> String {
    let parts = [
        ("accuracy", scores.accuracy),
        ("balanced", scores.balanced_accuracy),
        ("AUC", scores.auc),
        ("F1", scores.macro_f1),
        ("loss", Some(scores.loss)),
    ];
    let parts = parts.into_iter().filter_map(|(name, value)| Some(format!("{name} {:.4}", value?)));
    parts.collect::<Vec<_>>().join(" · ")
}

/// The split's scores, and those of one view where several were averaged.
pub fn of_views(scores: &Scores, one_view: Option<&Scores>) -> String {
    let all = summary(scores);
    match one_view {
        Some(one) => format!("  mean of views  {all}\n  one view       {}\n", summary(one)),
        None => format!("  {all}\n"),
    }
}

/// Precision, recall and F1 of each class, aligned.
pub fn class_table(classes: &[String], confusion: &Confusion) -> String {
    let width = column(classes, "class");
    let mut text = format!("  {}  precision   recall       F1   images\n", left("class", width));
    for (class, score) in classes.iter().zip(per_class::scores(confusion)) {
        let name = left(class, width);
        let _ = writeln!(
            text,
            "  {name}  {:9.4} {:8.4} {:8.4} {:8}",
            score.precision, score.recall, score.f1, score.support
        );
    }
    text
}

/// The confusion matrix: a row a true class, a column what it was taken for. Left out above 20
/// classes, where no terminal is wide enough; `metrics.json` has it.
pub fn confusion_table(classes: &[String], confusion: &Confusion) -> String {
    if classes.len() > 20 {
        return String::new();
    }
    let width = column(classes, "is \\ taken for");
    let widths: Vec<usize> = classes.iter().map(|class| measure_text_width(class).clamp(4, 12)).collect();
    let mut text = format!("  {}", left("is \\ taken for", width));
    for (class, &width) in classes.iter().zip(&widths) {
        let _ = write!(text, "  {}", right(class, width));
    }
    text.push('\n');
    for (truth, class) in classes.iter().enumerate() {
        let _ = write!(text, "  {}", left(class, width));
        for (predicted, &width) in widths.iter().enumerate() {
            let _ = write!(text, "  {}", right(&confusion.count(truth, predicted).to_string(), width));
        }
        text.push('\n');
    }
    text
}

fn column(classes: &[String], title: &str) -> usize {
    classes.iter().map(|class| measure_text_width(class)).chain([measure_text_width(title)]).max().unwrap_or(0).min(32)
}

fn left(text: &str, width: usize) -> String {
    pad_str(text, width, console::Alignment::Left, Some("…")).into_owned()
}

fn right(text: &str, width: usize) -> String {
    pad_str(text, width, console::Alignment::Right, Some("…")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Answers;

    #[test]
    fn tables_are_aligned() {
        let mut answers = Answers::new(2);
        answers.push(&[0, 0, 1], &[1.0, 0.0, 0.0, 1.0, 0.0, 1.0]);
        let confusion = Confusion::of(&answers);
        let classes = ["cat".to_owned(), "hippopotamus".to_owned()];
        assert_eq!(
            class_table(&classes, &confusion),
            "  class         precision   recall       F1   images\n  \
             cat              1.0000   0.5000   0.6667        2\n  \
             hippopotamus     0.5000   1.0000   0.6667        1\n"
        );
        assert_eq!(
            confusion_table(&classes, &confusion),
            "  is \\ taken for   cat  hippopotamus\n  \
             cat                1             1\n  \
             hippopotamus       0             1\n"
        );
    }
}
