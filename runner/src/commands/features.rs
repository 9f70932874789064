//! `runner features SPEC|RUN`: what a net sees in images, as arrays for other programs.

use super::CommandError;
use super::on_device::on_device;
use super::trained::Trained;
use crate::augment::Augmentation;
use crate::data::cache::Leads;
use crate::data::check::{self, Known};
use crate::data::npz_writer::{self, Values};
use crate::data::{self, Dataset, Loader};
use crate::engine::device::DeviceTask;
use crate::engine::{Kernels, Tensor};
use crate::heads::{Fitted, Head, Logistic};
use crate::net::{Graph, Net, NodeId, Params};
use crate::plan::{Normalization, Plan};
use crate::report::number::grouped;
use crate::spec::{Loaded, Override, Pipeline, Schedule, load};
use crate::train::TrainError;
use crate::train::features::{Features, extract};
use crate::train::start::Start;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Arguments of `runner features`.
#[derive(Debug, Args)]
pub struct FeaturesArgs {
    /// A pipeline (a YAML file), whose net has the weights that it would begin with; or a run
    /// directory, whose net has its best weights.
    of: PathBuf,
    /// The file to write: `.npz`, with the arrays `features`, `labels`, `paths`, `splits`, `classes`.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The stage (`layer3`) or layer whose output is wanted; by default the backbone's last, or what
    /// `backbone.features` names.
    #[arg(long, value_name = "NAME")]
    layer: Option<String>,
    /// Which images.
    #[arg(long, value_enum, default_value_t)]
    split: SplitArg,
    /// What to make of the positions of the layer's output.
    #[arg(long, value_enum, default_value_t)]
    pool: Pool,
    /// Override a value of the spec: `--set data.image.size=128`.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    sets: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum SplitArg {
    /// The training split.
    Train,
    /// The validation split.
    Val,
    /// The test split.
    Test,
    /// All three, one after the other.
    #[default]
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Pool {
    /// The mean over all positions: (N, C).
    #[default]
    Avg,
    /// All positions: (N, H, W, C).
    None,
}

/// Writes the features of images.
pub fn run(args: &FeaturesArgs, out: &mut impl Write) -> Result<(), CommandError> {
    if args.out.extension().is_none_or(|extension| extension != "npz") {
        let message = format!("--out {}: features are written as `.npz`", args.out.display());
        return Err(CommandError::Arguments(message));
    }
    let from = if args.of.is_dir() { From::run(args)? } else { From::spec(args)? };
    let data = data::open(&from.spec.data, &from.dir, from.spec.seed)?.kept(&from.spec);
    let leads = Leads::new(&from.spec.data.image, &Augmentation::default());
    let bad = check::scan(&data, from.spec.data.workers(), &leads, &Known::nothing());
    let data = check::leave_out(data, &bad, &from.spec.data)?;
    let samples = chosen(&data, args.split);
    let node = from.node(args.pool)?;
    let shape = from.graph.live_at(node).first().map_or_else(Vec::new, |&source| from.graph.shape_of(source).dims());
    let spec = from.spec.clone();
    let order: Vec<usize> = samples.iter().map(|(sample, _)| *sample).collect();
    let features = on_device(&spec, Extract { from, data: data.clone(), order, node })??;
    write(&args.out, &data, &samples, &features, &shape)?;
    let dims: Vec<String> = shape.iter().map(ToString::to_string).collect();
    let images = grouped(features.samples.len());
    writeln!(out, "{}: {} values of each of {images} images", args.out.display(), dims.join("x"))?;
    Ok(())
}

/// The images that are wanted, with the names of their splits.
fn chosen(data: &Dataset, split: SplitArg) -> Vec<(usize, &'static str)> {
    let splits = [
        ("train", &data.train, SplitArg::Train),
        ("val", &data.val, SplitArg::Val),
        ("test", &data.test, SplitArg::Test),
    ];
    let wanted = splits.into_iter().filter(|(.., which)| split == *which || split == SplitArg::All);
    wanted.flat_map(|(name, samples, _)| samples.iter().map(move |&sample| (sample, name))).collect()
}

fn write(
    file: &Path,
    data: &Dataset,
    samples: &[(usize, &str)],
    features: &Features,
    shape: &[usize],
) -> Result<(), CommandError> {
    let count = features.samples.len();
    let labels: Vec<i64> = features.labels.iter().map(|&label| label as i64).collect();
    let paths: Vec<String> = samples.iter().map(|(sample, _)| data.samples.samples[*sample].name.clone()).collect();
    let splits: Vec<String> = samples.iter().map(|(_, split)| (*split).to_owned()).collect();
    let classes = &data.facts.classes;
    let dims = [&[count], shape].concat();
    npz_writer::write(
        file,
        &[
            ("features", dims, Values::Floats(&features.values)),
            ("labels", vec![count], Values::Integers(&labels)),
            ("paths", vec![count], Values::Texts(&paths)),
            ("splits", vec![count], Values::Texts(&splits)),
            ("classes", vec![classes.len()], Values::Texts(classes)),
        ],
    )
    .map_err(|error| CommandError::Arguments(format!("--out {}: {error}", file.display())))
}

/// The net whose features are wanted, cut after the layer.
struct From {
    spec: Pipeline,
    /// The folder to which the spec's paths are relative.
    dir: PathBuf,
    graph: Graph,
    normalize: Normalization,
    values: Origin,
}

/// Where the values of the net come from.
enum Origin {
    Plan(Box<Plan>),
    Run(Box<Trained>),
}

impl From {
    fn spec(args: &FeaturesArgs) -> Result<Self, CommandError> {
        let loaded = load(&args.of, &Override::all(&args.sets))?;
        let spec = tapped(&loaded, args)?;
        let plan = Plan::new(&spec, &loaded.dir).map_err(|problems| loaded.error(&problems))?;
        for warning in plan.warnings.iter().filter(|warning| !warning.starts_with("`augmentation`")) {
            eprintln!("{} {warning}", console::style("warning:").for_stderr().yellow().bold());
        }
        let (graph, normalize) = (plan.graph.clone(), plan.normalize.clone());
        Ok(From { spec: plan.spec.clone(), dir: loaded.dir, graph, normalize, values: Origin::Plan(Box::new(plan)) })
    }

    fn run(args: &FeaturesArgs) -> Result<Self, CommandError> {
        if !args.sets.is_empty() {
            return Err(CommandError::Arguments("--set: a run's spec is what it was".to_owned()));
        }
        let mut trained = Trained::open(&args.of)?;
        trained.cut(|loaded| tapped(loaded, args))?;
        let (spec, graph, normalize) = (trained.spec.clone(), trained.graph.clone(), trained.normalize.clone());
        Ok(From { spec, dir: PathBuf::new(), graph, normalize, values: Origin::Run(Box::new(trained)) })
    }

    /// The layer whose input the features are.
    fn node(&self, pool: Pool) -> Result<NodeId, CommandError> {
        let head = self.graph.stages.last().map_or(0..0, |stage| stage.nodes.clone());
        // A vector of features has no positions to pool.
        let node = if pool == Pool::None { head.start } else { head.end.saturating_sub(1) };
        if head.is_empty() {
            return Err(CommandError::Arguments("the net has no layer whose features could be had".to_owned()));
        }
        Ok(node)
    }

    fn net<D: Kernels>(&mut self, device: &D) -> Result<Net<D>, CommandError> {
        match &mut self.values {
            Origin::Plan(plan) => {
                let params = Start::of(plan)?.params(device, &plan.graph)?;
                Ok(Net { graph: self.graph.clone(), params })
            }
            Origin::Run(trained) => {
                let head = self.graph.stages.len().saturating_sub(1);
                let mut tensors = Vec::with_capacity(self.graph.params.len());
                for (id, param) in self.graph.params.iter().enumerate() {
                    // Of the head nothing is asked for but its place.
                    let of_head = self.graph.stage_of(id) == head;
                    let values = if of_head { vec![0.0; param.def.count()] } else { trained.values(param)? };
                    tensors.push(Tensor::from_vec(device, values, &param.def.dims)?);
                }
                Ok(Net { graph: self.graph.clone(), params: Params::new(tensors) })
            }
        }
    }
}

/// The spec of a net that is cut after the layer; its head is one that needs no schedule.
fn tapped(loaded: &Loaded, args: &FeaturesArgs) -> Result<Pipeline, CommandError> {
    let mut spec = loaded.pipeline.clone();
    spec.head = Some(Head::Fitted(Fitted::Logistic(Logistic::default())));
    spec.schedule = Schedule::default();
    match (&mut spec.backbone, &args.layer) {
        (Some(backbone), Some(layer)) => backbone.features = Some(layer.clone()),
        (None, Some(layer)) => {
            let message = format!("--layer {layer}: only a backbone can be cut; this net is written in the spec");
            return Err(CommandError::Arguments(message));
        }
        (_, None) => {}
    }
    Ok(spec)
}

struct Extract {
    from: From,
    data: Dataset,
    order: Vec<usize>,
    node: NodeId,
}

impl DeviceTask for Extract {
    type Output = Result<Features, CommandError>;

    fn run<D: Kernels>(mut self, device: D) -> Self::Output {
        let net = self.from.net(&device)?;
        let (spec, image) = (&self.from.spec, self.from.spec.data.image.clone());
        let loader = Loader::new(
            self.data,
            image,
            &self.from.normalize,
            Augmentation::default(),
            spec.seed,
            spec.data.workers(),
        );
        let bar = bar(self.order.len());
        let batches = loader.evaluation(&self.order, spec.data.batch);
        let features = extract(&device, &net, self.node, batches, |done| {
            bar.set_position(done as u64);
            true
        });
        bar.finish_and_clear();
        features.map(Option::unwrap_or_default).map_err(|error: TrainError| error.into())
    }
}

fn bar(images: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(images as u64), ProgressDrawTarget::stderr());
    let template = "  features {bar:28.cyan/black.bright} {pos}/{len} images  {per_sec}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━━╌"));
    }
    bar
}
