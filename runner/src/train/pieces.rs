//! A batch in pieces: less memory, the same gradient.

use crate::data::Batch;
use crate::data::loader::Features;
use crate::engine::Kernels;
use crate::engine::Tensor;
use crate::net::{Net, ParamId};
use std::borrow::Cow;
use std::ops::Range;

/// The batch in pieces of at most `size` rows, in order; the batch itself where it is no larger.
pub fn of(batch: &Batch, size: usize) -> impl Iterator<Item = Cow<'_, Batch>> {
    let (rows, size) = (batch.labels.len(), size.max(1));
    (0..rows.div_ceil(size).max(1)).map(move |number| {
        if size >= rows {
            return Cow::Borrowed(batch);
        }
        let Range { start, end } = place(rows, size, number);
        Cow::Owned(cut(batch, start, end))
    })
}

/// Where the piece with this number is among `rows` rows: nowhere after the last.
pub fn place(rows: usize, size: usize, number: usize) -> Range<usize> {
    let end_of = |number: usize| number.saturating_mul(size.max(1)).min(rows);
    end_of(number)..end_of(number + 1)
}

/// Some rows of a batch.
pub fn cut(batch: &Batch, begin: usize, end: usize) -> Batch {
    let [_, height, width, channels] = batch.dims;
    Batch {
        images: rows(&batch.images, begin, end, height * width * channels),
        dims: [end - begin, height, width, channels],
        labels: rows(&batch.labels, begin, end, 1),
        targets: rows(&batch.targets, begin, end, batch.targets.len() / batch.labels.len().max(1)),
        samples: rows(&batch.samples, begin, end, 1),
        features: batch.features.as_ref().map(|features| {
            let width = features.values.len() / batch.labels.len().max(1);
            Features { node: features.node, values: rows(&features.values, begin, end, width) }
        }),
    }
}

fn rows<T: Clone>(values: &[T], begin: usize, end: usize, width: usize) -> Vec<T> {
    values.get(begin * width..end * width).unwrap_or_default().to_vec()
}

/// The statistics that the pieces of a step move: each piece begins with what the one before left. Where
/// a piece fails, all can be put back.
pub struct Moved<D: Kernels> {
    before: Vec<(ParamId, Tensor<D>)>,
}

impl<D: Kernels> Moved<D> {
    /// Nothing has moved yet.
    pub fn nothing() -> Self {
        Moved { before: Vec::new() }
    }

    /// Takes over what a piece gives.
    pub fn take(&mut self, net: &mut Net<D>, buffers: Vec<(ParamId, Tensor<D>)>) {
        for (param, values) in buffers {
            self.before.push((param, net.params.get(param).clone()));
            net.params.set(param, values);
        }
    }

    /// All is as it was before the first piece.
    pub fn put_back(self, net: &mut Net<D>) {
        for (param, values) in self.before.into_iter().rev() {
            net.params.set(param, values);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Cpu;
    use crate::engine::device::open_cpu;
    use crate::layers::Init;
    use crate::net::{Exit, Params};
    use crate::optim::{Optimizer, Sgd};
    use crate::plan::{PhasePlan, fixture};
    use crate::random::{Key, Purpose};
    use crate::regularize::{LossTargets, Regularization};
    use crate::spec::Problems;
    use crate::train::optimizer::State;
    use crate::train::step::{StepContext, StepReport, step};
    use crate::weights::init::draw;

    fn net() -> Net<Cpu> {
        let device = open_cpu().unwrap();
        let graph = fixture::net(&["stem", "layer1", "head"]).with_auxiliary(2, 2).unwrap();
        let key = Key::new(1, Purpose::Init);
        let tensor = |param: &crate::net::Param| {
            let values = draw(&param.def, Init::Kaiming, key.named(&param.name));
            Tensor::from_vec(&device, values, &param.def.dims).unwrap()
        };
        let params = Params::new(graph.params.iter().map(tensor).collect());
        Net { graph, params }
    }

    fn batch() -> Batch {
        let mut stream = Key::new(2, Purpose::Init).stream();
        Batch {
            images: (0..5 * 8 * 8 * 4).map(|_| stream.normal()).collect(),
            dims: [5, 8, 8, 4],
            labels: vec![0, 1, 0, 0, 1],
            targets: vec![1.0, 0.0, 0.0, 1.0, 0.7, 0.3, 1.0, 0.0, 0.1, 0.9],
            samples: vec![0, 1, 2, 3, 4],
            features: None,
        }
    }

    /// A step of SGD in pieces of so many.
    fn stepped(net: &mut Net<Cpu>, batch: &Batch, phase: &str, size: usize, lr: f64) -> StepReport {
        let yaml = format!("phases: [{{ name: a, epochs: 1, lr: {lr}, {phase} }}]");
        let mut problems = Problems::default();
        let phase = PhasePlan::resolve(&fixture::drafts(&fixture::yaml(&yaml))[0], &net.graph, &mut problems);
        assert_eq!(problems, Problems::default());
        let phase = PhasePlan { micro_batch: size, ..phase };
        net.params.want_grads(&phase.trainable(net.graph.params.len()));
        net.graph.leave_by(phase.exit);
        let context = StepContext {
            device: &open_cpu().unwrap(),
            phase: &phase,
            regularization: &Regularization::default(),
            targets: &LossTargets { smoothing: 0.1, weights: Some(vec![1.0, 3.0]), soft: false },
            penalties: &crate::train::penalties::Penalties::none(),
            key: Key::new(3, Purpose::Layer),
            shared: None,
        };
        let mut optimizer = State::new(Optimizer::Sgd(Sgd { momentum: 0.0, ..Sgd::default() }));
        let report = step(&context, net, &mut optimizer, batch, 1.0, 0).unwrap();
        net.graph.leave_by(Exit::Output);
        report
    }

    fn values(net: &Net<Cpu>) -> Vec<Vec<f32>> {
        net.params.tensors().iter().map(Tensor::to_vec).collect()
    }

    #[test]
    fn a_step_in_pieces_is_the_step_of_the_whole_batch() {
        let phase = "train: [stem, layer1, head], batch_norm: frozen";
        let mut whole = net();
        let expected = stepped(&mut whole, &batch(), phase, usize::MAX, 0.1);
        assert_ne!(values(&whole), values(&net()));
        for size in 1..5 {
            let mut net = net();
            let found = stepped(&mut net, &batch(), phase, size, 0.1);
            assert!((found.loss - expected.loss).abs() < 1e-5, "{} is not {}", found.loss, expected.loss);
            assert_eq!(found.correct, expected.correct);
            for (found, expected) in found.gradient_norms.iter().zip(&expected.gradient_norms) {
                assert!((found - expected).abs() < 1e-5 * expected);
            }
            for (param, (found, expected)) in values(&net).iter().zip(values(&whole)).enumerate() {
                let near = found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5 * (1.0 + b.abs()));
                assert!(near, "{} in pieces of {size}", net.graph.params[param].name);
            }
        }
    }

    #[test]
    fn statistics_of_the_pieces_follow_one_after_another() {
        // A learning rate that moves nothing: statistics alone do.
        let (phase, still) = ("train: [stem, layer1, head], batch_norm: statistics", 1e-30);
        let mut pieces = net();
        stepped(&mut pieces, &batch(), phase, 3, still);
        let mut steps = net();
        for (begin, end) in [(0, 3), (3, 5)] {
            stepped(&mut steps, &cut(&batch(), begin, end), phase, usize::MAX, still);
        }
        let same = |a: &[Vec<f32>], b: &[Vec<f32>]| {
            a.iter().flatten().zip(b.iter().flatten()).all(|(a, b)| (a - b).abs() < 1e-6)
        };
        assert!(same(&values(&pieces), &values(&steps)));
        let mut whole = net();
        stepped(&mut whole, &batch(), phase, usize::MAX, still);
        assert!(!same(&values(&pieces), &values(&whole)));
    }

    #[test]
    fn a_piece_whose_loss_is_not_finite_leaves_all_as_it_was() {
        let mut net = net();
        let before = values(&net);
        let mut bad = batch();
        *bad.images.last_mut().unwrap() = f32::NAN;
        let report = stepped(&mut net, &bad, "train: [stem, layer1, head]", 2, 0.1);
        assert!(!report.loss.is_finite());
        assert_eq!(values(&net), before);
    }

    #[test]
    fn with_an_auxiliary_head_all_but_its_group_keeps_every_bit() {
        let mut net = net();
        let before = values(&net);
        // What is above the head is not even looked at.
        let above = net.graph.params.iter().position(|param| param.name == "layer1.conv.weight").unwrap();
        net.params.set(above, Tensor::zeros(&open_cpu().unwrap(), &[1]).unwrap());
        let report = stepped(&mut net, &batch(), "train: [stem, auxiliary1]", 2, 0.1);
        assert!(report.loss.is_finite());
        for (param, before) in before.iter().enumerate().filter(|(param, _)| *param != above) {
            let name = &net.graph.params[param].name;
            let trains = name.starts_with("stem.") || name.starts_with("auxiliary1.");
            assert_eq!(net.params.get(param).to_vec() != *before, trains, "{name}");
        }
    }
}
