//! Area under the ROC curve.

use super::Answers;

/// The area under the ROC curve of each class against the rest, averaged over classes (Hand and
/// Till's one-against-rest form, as scikit-learn's `roc_auc_score(multi_class="ovr")`). With two
/// classes it is the second class's. `None` where some class is absent or the only one.
pub fn macro_auc(answers: &Answers) -> Option<f64> {
    let classes = if answers.classes == 2 { 1..2 } else { 0..answers.classes };
    let areas: Vec<f64> = classes.map(|class| auc_of(answers, class)).collect::<Option<_>>()?;
    (!areas.is_empty()).then(|| areas.iter().sum::<f64>() / areas.len() as f64)
}

/// By ranks (Mann and Whitney): the chance that a sample of the class scores above one of the
/// rest, ties counting half.
fn auc_of(answers: &Answers, class: usize) -> Option<f64> {
    let mut scored: Vec<(f32, bool)> =
        answers.rows().zip(&answers.labels).map(|(row, &label)| (row[class], label == class)).collect();
    let positives = scored.iter().filter(|(_, positive)| *positive).count();
    let negatives = scored.len() - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut rank_sum = 0.0;
    let mut rank = 0;
    for tied in scored.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let middle = rank as f64 + (tied.len() + 1) as f64 / 2.0;
        rank_sum += middle * tied.iter().filter(|(_, positive)| *positive).count() as f64;
        rank += tied.len();
    }
    let positives = positives as f64;
    Some((rank_sum - positives * (positives + 1.0) / 2.0) / (positives * negatives as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(scores: &[(f32, usize)]) -> Answers {
        let mut answers = Answers::new(2);
        for &(score, label) in scores {
            answers.labels.push(label);
            answers.probabilities.extend([1.0 - score, score]);
        }
        answers
    }

    #[test]
    fn perfect_reversed_and_tied() {
        let auc = |scores: &[(f32, usize)]| macro_auc(&binary(scores));
        assert_eq!(auc(&[(0.1, 0), (0.2, 0), (0.8, 1), (0.9, 1)]), Some(1.0));
        assert_eq!(auc(&[(0.9, 0), (0.8, 0), (0.2, 1), (0.1, 1)]), Some(0.0));
        assert_eq!(auc(&[(0.5, 0), (0.5, 1)]), Some(0.5));
        // scikit-learn's example: y = [0, 0, 1, 1], scores = [0.1, 0.4, 0.35, 0.8] -> 0.75.
        assert_eq!(auc(&[(0.1, 0), (0.4, 0), (0.35, 1), (0.8, 1)]), Some(0.75));
    }

    #[test]
    fn a_class_without_samples_has_no_area() {
        assert_eq!(macro_auc(&binary(&[(0.1, 0), (0.4, 0)])), None);
    }
}
