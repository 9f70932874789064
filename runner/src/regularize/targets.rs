//! The targets of the loss: labels, label smoothing and class weights in one matrix.

use super::label_smoothing::smoothed;

/// Makes the matrix T (N, K) with which the loss is `-sum(T * log_softmax(logits))`.
///
/// With t a row's probabilities, e the label smoothing, w the class weights (1 without), and
/// `s_c = (1 - e) * t_c + e / K`:
/// - hard targets (one class a row): `T_nc = w_c * s_nc / sum over rows of w of the row's class`,
///   which is torch's `CrossEntropyLoss(weight, label_smoothing)` with class indices as targets;
/// - soft targets (rows that were mixed): `T_nc = w_c * s_nc / N`, which is torch's with
///   probabilities as targets.
#[derive(Debug, Clone, PartialEq)]
pub struct LossTargets {
    /// Label smoothing, in [0, 1).
    pub smoothing: f32,
    /// Weight of each class, if there are weights.
    pub weights: Option<Vec<f32>>,
    /// Whether targets are mixed: soft rather than hard.
    pub soft: bool,
}

impl LossTargets {
    /// Plain cross-entropy: no smoothing, no weights, hard targets.
    pub fn plain() -> Self {
        LossTargets { smoothing: 0.0, weights: None, soft: false }
    }

    /// The matrix T of a batch, from the probabilities of its rows (N, K).
    ///
    /// Where all the batch's rows have weight 0, T is 0 throughout (torch's loss is not a number
    /// then).
    pub fn matrix(&self, probabilities: &[f32], classes: usize) -> Vec<f32> {
        self.matrix_of(probabilities, classes, self.divisor(probabilities, classes))
    }

    /// As [`LossTargets::matrix`], of rows that are a part of a batch with this divisor.
    pub fn matrix_of(&self, probabilities: &[f32], classes: usize, divisor: f64) -> Vec<f32> {
        let scale = if divisor > 0.0 { 1.0 / divisor } else { 0.0 };
        let smoothing = f64::from(self.smoothing);
        let rows = probabilities.chunks_exact(classes.max(1));
        rows.flat_map(|row| row.iter().enumerate())
            .map(|(class, &p)| (self.weight(class) * smoothed(f64::from(p), smoothing, classes) * scale) as f32)
            .collect()
    }

    /// What the sum over the batch is divided by: the sum of what it is for the batch's parts.
    pub fn divisor(&self, probabilities: &[f32], classes: usize) -> f64 {
        let rows = probabilities.chunks_exact(classes.max(1));
        if self.soft {
            return rows.len() as f64;
        }
        rows.flat_map(|row| row.iter().enumerate()).map(|(class, &p)| self.weight(class) * f64::from(p)).sum()
    }

    fn weight(&self, class: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |weights| weights.get(class).copied().map_or(1.0, f64::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, Purpose, Stream};

    const N: usize = 6;
    const K: usize = 4;

    fn stream(n: u64) -> Stream {
        Key::new(n, Purpose::Init).stream()
    }

    /// Log-probabilities of random logits, (N, K).
    fn log_softmax(random: &mut Stream) -> Vec<[f64; K]> {
        (0..N)
            .map(|_| {
                let logits = std::array::from_fn::<f64, K, _>(|_| 2.0 * f64::from(random.normal()));
                let log_sum = logits.iter().map(|x| x.exp()).sum::<f64>().ln();
                logits.map(|x| x - log_sum)
            })
            .collect()
    }

    fn loss(matrix: &[f32], log_probabilities: &[[f64; K]]) -> f64 {
        -matrix.iter().zip(log_probabilities.as_flattened()).map(|(t, l)| f64::from(*t) * l).sum::<f64>()
    }

    fn one_hot(labels: &[usize]) -> Vec<f32> {
        labels.iter().flat_map(|&label| (0..K).map(move |class| f32::from(class == label))).collect()
    }

    /// `cross_entropy_loss_label_smoothing` of `ATen` (LossNLL.cpp), reduction mean.
    fn torch_hard(l: &[[f64; K]], labels: &[usize], w: &[f64; K], smoothing: f64) -> f64 {
        let weights: f64 = labels.iter().map(|&y| w[y]).sum();
        let nll = -labels.iter().zip(l).map(|(&y, l)| w[y] * l[y]).sum::<f64>() / weights;
        let smooth = -l.iter().map(|l| (0..K).map(|c| w[c] * l[c]).sum::<f64>()).sum::<f64>() / weights;
        (1.0 - smoothing) * nll + smoothing / K as f64 * smooth
    }

    /// `cross_entropy_loss_prob_target` of `ATen` (LossNLL.cpp), reduction mean.
    fn torch_soft(l: &[[f64; K]], t: &[f32], w: &[f64; K], smoothing: f64) -> f64 {
        let target = |n: usize, c: usize| f64::from(t[n * K + c]) * (1.0 - smoothing) + smoothing / K as f64;
        -(0..N).map(|n| (0..K).map(|c| l[n][c] * target(n, c) * w[c]).sum::<f64>()).sum::<f64>() / N as f64
    }

    #[test]
    fn hard_targets_give_torchs_loss() {
        for n in 0..20 {
            let mut random = stream(n);
            let l = log_softmax(&mut random);
            let labels: Vec<usize> = (0..N).map(|_| random.below(K)).collect();
            let w32: [f32; K] = std::array::from_fn(|_| random.range(0.1, 3.0));
            for smoothing in [0.0_f32, 0.05, 0.3] {
                for (weights, w) in [(None, [1.0; K]), (Some(w32.to_vec()), w32.map(f64::from))] {
                    let targets = LossTargets { smoothing, weights, soft: false };
                    let ours = loss(&targets.matrix(&one_hot(&labels), K), &l);
                    let torchs = torch_hard(&l, &labels, &w, f64::from(smoothing));
                    assert!((ours - torchs).abs() < 1e-6 * torchs.abs().max(1.0), "{ours} is not {torchs}");
                }
            }
        }
    }

    #[test]
    fn soft_targets_give_torchs_loss() {
        for n in 0..20 {
            let mut random = stream(n);
            let l = log_softmax(&mut random);
            let share = random.unit();
            let (a, b) = (one_hot(&[0, 1, 2, 3, 0, 1]), one_hot(&[2, 1, 0, 0, 3, 3]));
            let mixed: Vec<f32> = a.iter().zip(&b).map(|(a, b)| share * a + (1.0 - share) * b).collect();
            let w = [0.5_f32, 1.0, 2.0, 0.25];
            let targets = LossTargets { smoothing: 0.1, weights: Some(w.to_vec()), soft: true };
            let torchs = torch_soft(&l, &mixed, &w.map(f64::from), f64::from(0.1_f32));
            assert!((loss(&targets.matrix(&mixed, K), &l) - torchs).abs() < 1e-6 * torchs.abs().max(1.0));
        }
    }

    #[test]
    fn hard_and_soft_agree_without_weights() {
        let hard = LossTargets { smoothing: 0.1, weights: None, soft: false };
        let soft = LossTargets { soft: true, ..hard.clone() };
        let rows = one_hot(&[0, 3, 2, 2, 1, 0]);
        assert_eq!(hard.matrix(&rows, K), soft.matrix(&rows, K));
        let plain = LossTargets::plain().matrix(&rows, K);
        assert_eq!(plain, rows.iter().map(|p| p / 6.0).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_is_divided_by_zero() {
        let targets = LossTargets { smoothing: 0.0, weights: Some(vec![0.0, 1.0]), soft: false };
        assert_eq!(targets.matrix(&[1.0, 0.0], 2), [0.0, 0.0]);
        assert!(targets.matrix(&[], 2).is_empty());
        assert!(targets.matrix(&[], 0).is_empty());
    }
}
