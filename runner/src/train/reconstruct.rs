//! Autoencoders: a net that gives back the image that it gets, and how far it is off.
//!
//! The target is the image as the net gets it, augmented and normalized; so the error is in units of
//! the normalization's standard deviation. What the encoder does to the image first (a `dropout`
//! there makes a denoising autoencoder, Vincent et al. 2008) is not in the target.

use super::evaluate::{Evaluation, logits};
use super::{RunDir, TrainError};
use crate::data::{Batch, Dataset};
use crate::engine::{Broadcast, KernelSet, Kernels, Tape, Tensor};
use crate::metrics::{Answers, Scores};
use crate::net::Net;

/// The mean squared error of a batch's reconstructions, over all values, on the tape. Where the batch is a part of
/// `rows`, its share of their mean.
pub fn loss<D: Kernels>(
    tape: &mut Tape<D>,
    output: &Tensor<D>,
    batch: &Batch,
    rows: usize,
) -> Result<Tensor<D>, TrainError> {
    let target = Tensor::from_slice(output.device(), &batch.images, &batch.dims)?;
    let loss = D::mean_squared_error(tape, output, &target)?;
    let own = batch.labels.len();
    if own == rows {
        return Ok(loss);
    }
    let share = Tensor::from_vec(output.device(), vec![own as f32 / rows as f32], &[1])?;
    Ok(D::scale(tape, &loss.reshape(&[1, 1])?, &share, Broadcast::Sample)?)
}

/// The mean squared error of each image of a batch.
pub fn errors<D: Kernels>(device: &D, net: &Net<D>, batch: &Batch) -> Result<Vec<f64>, TrainError> {
    let output = logits(device, net, batch, KernelSet::default())?;
    let length = batch.dims.iter().skip(1).product::<usize>().max(1);
    let pairs = output.chunks_exact(length).zip(batch.images.chunks_exact(length));
    let square = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).powi(2);
    Ok(pairs.map(|(output, image)| output.iter().zip(image).map(square).sum::<f64>() / length as f64).collect())
}

/// Evaluates an autoencoder over the batches of a split.
pub fn evaluate<D: Kernels, E>(
    device: &D,
    net: &Net<D>,
    batches: impl Iterator<Item = Result<Batch, E>>,
    mut each: impl FnMut(usize),
) -> Result<Evaluation, TrainError>
where
    TrainError: From<E>,
{
    let (mut off, mut samples) = (Vec::new(), Vec::new());
    for batch in batches {
        let batch = batch?;
        off.extend(errors(device, net, &batch)?);
        samples.extend(batch.places());
        each(samples.len());
    }
    Ok(Evaluation {
        scores: Scores::of_errors(&off),
        answers: Answers::default(),
        samples,
        one_view: None,
        errors: off,
    })
}

/// `metrics.json` and `reconstructions.csv`: a line a test image, with its mean squared error.
pub fn write_results(dir: &RunDir, data: &Dataset, test: &Evaluation, best_epoch: usize) -> Result<(), TrainError> {
    let metrics = serde_json::json!({ "best_epoch": best_epoch, "test": test.scores });
    let path = dir.file("metrics.json");
    let json = serde_json::to_vec_pretty(&metrics).map_err(std::io::Error::other).map_err(TrainError::file(&path))?;
    dir.write("metrics.json", &json).map_err(TrainError::file(&path))?;
    let path = dir.file("reconstructions.csv");
    let csv = lines(data, test).map_err(std::io::Error::other).map_err(TrainError::file(&path))?;
    dir.write("reconstructions.csv", &csv).map_err(TrainError::file(&path))
}

fn lines(data: &Dataset, test: &Evaluation) -> Result<Vec<u8>, csv::Error> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["path", "loss"])?;
    for (&sample, error) in test.samples.iter().zip(&test.errors) {
        let name = data.samples.samples.get(sample).map_or("", |sample| sample.name.as_str());
        csv.write_record([name, &format!("{error:.6}")])?;
    }
    csv.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::device::open_cpu;
    use crate::layers::{Conv2d, Shape};
    use crate::net::{Builder, Params, Source};

    /// A 1x1 convolution that multiplies the only channel by `factor`.
    fn net(factor: f32) -> Net<crate::engine::Cpu> {
        let mut net = Builder::new(Shape::Image { height: 1, width: 2, channels: 1 });
        net.add("decoder.0", Conv2d::new(1, 1).without_bias(), Source::Image).unwrap();
        let weight = Tensor::from_vec(&open_cpu().unwrap(), vec![factor], &[1, 1, 1, 1]).unwrap();
        Net { graph: net.finish(), params: Params::new(vec![weight.wanting_grad(true)]) }
    }

    fn batch() -> Batch {
        let images = vec![1.0, -1.0, 2.0, 0.0];
        Batch {
            images,
            dims: [2, 1, 2, 1],
            labels: vec![0, 0],
            targets: Vec::new(),
            samples: vec![4, 7],
            features: None,
        }
    }

    #[test]
    fn the_error_of_each_image_and_their_mean() {
        let device = open_cpu().unwrap();
        let net = net(1.5);
        let done = evaluate(&device, &net, std::iter::once(Ok::<_, TrainError>(batch())), |_| ()).unwrap();
        assert_eq!((done.errors.clone(), done.samples), (vec![0.25, 0.5], vec![4, 7]));
        assert_eq!(done.scores, Scores::of_errors(&[0.375]));
        assert_eq!(serde_json::to_string(&done.scores).unwrap(), r#"{"loss":0.375}"#);

        let mut tape = Tape::recording(KernelSet::default());
        let image = Tensor::from_vec(&device, batch().images, &batch().dims).unwrap();
        let run = crate::net::Forward {
            tape: &mut tape,
            training: true,
            norms: &[],
            key: crate::random::Key::new(0, crate::random::Purpose::Layer),
            samples: &[4, 7],
            joined: None,
        };
        let output = net.forward(&image, run).map_err(|(_, error)| error).unwrap().logits;
        let loss = loss(&mut tape, &output, &batch(), 2).unwrap();
        assert_eq!(loss.to_vec(), [0.375]);
        // d/df mean((f - 1)^2 x^2) = 2 (f - 1) mean(x^2).
        let gradient = tape.backward(&loss).unwrap().of(net.params.get(0)).unwrap().to_vec();
        assert_eq!(gradient, [1.5]);
    }
}
