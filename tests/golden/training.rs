//! The training that the golden files record: SGD with momentum 0.9 and weight decay 1e-4 on every
//! parameter; what does not train is frozen, its batch norm in inference mode.

use crate::device::{Device, device};
use crate::file::{Golden, Trained};
use crate::subject::forward;
use runner::engine::optimizer::SgdStep;
use runner::engine::{KernelSet, Kernels, Tape, Tensor};
use runner::layers::NormMode;
use runner::net::{Net, ParamId};

/// Trains a net.
pub struct Trainer<'a> {
    net: &'a mut Net<Device>,
    targets: Tensor<Device>,
    norms: Vec<NormMode>,
    velocities: Vec<(ParamId, Tensor<Device>)>,
    sgd: SgdStep,
    kernels: KernelSet,
}

impl<'a> Trainer<'a> {
    pub fn new(net: &'a mut Net<Device>, golden: &Golden, trained: Trained, kernels: KernelSet) -> Self {
        let graph = &net.graph;
        let trains: Vec<bool> =
            graph.nodes.iter().map(|node| trained.contains(&graph.stages[node.stage].name)).collect();
        let wanted: Vec<bool> =
            graph.params.iter().map(|param| trains[param.node] && !param.def.role.is_buffer()).collect();
        net.params.want_grads(&wanted);
        let velocities = (0..wanted.len())
            .filter(|&param| wanted[param])
            .map(|param| (param, Tensor::zeros(&device(), net.params.get(param).dims()).unwrap()));
        let mode = |&trains: &bool| if trains { NormMode::Batch } else { NormMode::Inference };
        Trainer {
            targets: targets(golden),
            norms: trains.iter().map(mode).collect(),
            velocities: velocities.collect(),
            net,
            sgd: SgdStep { lr: golden.lr, momentum: 0.9, nesterov: false, weight_decay: 1e-4 },
            kernels,
        }
    }

    /// One step; gives the loss before it.
    pub fn step(&mut self, images: &Tensor<Device>) -> f32 {
        let mut tape = Tape::recording(self.kernels);
        let output = forward(self.net, images, &mut tape, &self.norms);
        let loss = Device::cross_entropy(&mut tape, &output.logits, &self.targets).unwrap();
        let mut gradients = tape.backward(&loss).unwrap();
        for (param, velocity) in &mut self.velocities {
            self.sgd.apply(self.net.params.get_mut(*param), velocity, &mut gradients).unwrap();
        }
        for (param, value) in output.buffers {
            self.net.params.set(param, value);
        }
        loss.to_vec()[0]
    }
}

/// One-hot rows over the batch's size: cross-entropy's mean over the batch.
fn targets(golden: &Golden) -> Tensor<Device> {
    let (samples, classes) = (golden.labels.len(), golden.num_classes);
    let mut targets = vec![0.0; samples * classes];
    for (row, &label) in golden.labels.iter().enumerate() {
        targets[row * classes + label] = 1.0 / samples as f32;
    }
    Tensor::from_vec(&device(), targets, &[samples, classes]).unwrap()
}
