//! `runner lr-find SPEC`: which learning rate?

use super::on_device::on_device;
use super::run::{open_data, stop_on_interrupt};
use super::{CommandError, SpecArgs};
use crate::atomic;
use crate::data::{Dataset, Loader};
use crate::engine::Kernels;
use crate::engine::device::DeviceTask;
use crate::net::Net;
use crate::plan::{PhasePlan, Plan};
use crate::ranks::Ranks;
use crate::report::lr_curve;
use crate::report::number::rate;
use crate::spec::{LearningRate, PerGroup};
use crate::train::lr_find::{Curve, End, Range, Suggestion, Trial, find};
use crate::train::run::loss_targets;
use crate::train::start::Start;
use crate::train::{StopFlag, TrainError};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Arguments of `runner lr-find`.
#[derive(Debug, Args)]
pub struct LrFindArgs {
    #[command(flatten)]
    spec: SpecArgs,
    /// The phase to look at, by name; by default the first.
    #[arg(long)]
    phase: Option<String>,
    /// How many rates to try, one a step.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    steps: u32,
    /// The least rate.
    #[arg(long, default_value_t = 1e-7)]
    from: f64,
    /// The greatest rate.
    #[arg(long, default_value_t = 10.0)]
    to: f64,
    /// Where to write `lr_find.svg` and `lr_find.json`; by default `runs/NAME`.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Trains a copy of the net through rising learning rates, shows what becomes of the loss, and suggests a
/// rate. No weights are kept.
pub fn run(args: &LrFindArgs, out: &mut impl Write) -> Result<(), CommandError> {
    let range = range(args)?;
    let (loaded, plan) = super::plan::load(&args.spec.spec, &args.spec.sets)?;
    let (number, phase) = phase_of(&plan, args.phase.as_deref())?;
    let (data, _) = open_data(&plan, &loaded.dir, &Ranks::alone())?;
    let (name, batch) = (&plan.spec.name, plan.spec.data.batch);
    writeln!(
        out,
        "learning rates for phase {} of {name}: {} steps of {batch} images, {} to {}\n",
        phase.name,
        range.steps,
        rate(range.from),
        rate(range.to)
    )?;
    let task = Find { plan: &plan, phase, data, range, stop: stop_on_interrupt(&Ranks::alone()) };
    let curve = on_device(&plan.spec, task)??;
    let suggestion = curve.suggestion();
    writeln!(out, "{}", lr_curve::text(&curve, suggestion.as_ref()))?;
    say(out, &plan, number, &curve, suggestion.as_ref())?;

    let folder = args.out.clone().unwrap_or_else(|| Path::new("runs").join(name));
    std::fs::create_dir_all(&folder)?;
    let title = format!("{name}, phase {}: loss over learning rate", phase.name);
    let (svg, json) = (folder.join("lr_find.svg"), folder.join("lr_find.json"));
    atomic::write(&svg, |file| file.write_all(lr_curve::svg(&curve, suggestion.as_ref(), &title).as_bytes()))?;
    let report = serde_json::json!({
        "name": name,
        "phase": phase.name,
        "range": range,
        "suggestion": suggestion,
        "end": curve.end,
        "points": curve.points,
    });
    atomic::write(&json, |file| writeln!(file, "{report:#}"))?;
    writeln!(out, "  curve in {} and {}", svg.display(), json.display())?;
    Ok(())
}

fn range(args: &LrFindArgs) -> Result<Range, CommandError> {
    let (from, to) = (args.from, args.to);
    if from > 0.0 && from < to && to.is_finite() {
        return Ok(Range { from, to, steps: args.steps as usize });
    }
    Err(CommandError::Arguments(format!("--from {from} --to {to}: expected numbers above 0, the first the smaller")))
}

/// The phase of this name and its place, or the first.
fn phase_of<'a>(plan: &'a Plan, name: Option<&str>) -> Result<(usize, &'a PhasePlan), CommandError> {
    let found = plan.phases.iter().enumerate().find(|(_, phase)| name.is_none_or(|name| phase.name == name));
    found.ok_or_else(|| {
        if plan.phases.is_empty() {
            return CommandError::Arguments("the pipeline has no phase: its head is fitted, not trained".to_owned());
        }
        let names: Vec<&str> = plan.phases.iter().map(|phase| phase.name.as_str()).collect();
        let wanted = name.unwrap_or_default();
        CommandError::Arguments(format!("--phase {wanted}: there is no such phase; there is {}", names.join(", ")))
    })
}

fn say(
    out: &mut impl Write,
    plan: &Plan,
    number: usize,
    curve: &Curve,
    suggestion: Option<&Suggestion>,
) -> std::io::Result<()> {
    match curve.end {
        End::Range => {}
        End::Diverged => writeln!(out, "  stopped: the loss became four times its least")?,
        End::NotFinite => writeln!(out, "  stopped: the loss was no number any more")?,
        End::Interrupted => writeln!(out, "  interrupted")?,
    }
    let Some(suggestion) = suggestion else {
        return writeln!(out, "  no suggestion: the loss did not fall; is the net frozen where it should learn?");
    };
    let rows = [
        ("suggested", suggestion.valley, "half-way down the longest fall of the loss"),
        ("steepest", suggestion.steepest, "where the loss falls most steeply"),
        ("minimum", suggestion.minimum, "a tenth of the rate with the least loss"),
    ];
    for (name, lr, why) in rows {
        writeln!(out, "  {name:<9}  {:<8}  {why}", rate(rounded(lr)))?;
    }
    let written = plan.spec.schedule.phases.as_ref().and_then(|phases| phases.get(number));
    if written.is_some_and(|phase| matches!(phase.lr, LearningRate::Groups(PerGroup::All(_)))) {
        writeln!(out, "  try it:    --set schedule.phases.{number}.lr={}", rate(rounded(suggestion.valley)))?;
    }
    Ok(())
}

/// To two digits: a curve says no more.
fn rounded(lr: f64) -> f64 {
    format!("{lr:.1e}").parse().unwrap_or(lr)
}

struct Find<'a> {
    plan: &'a Plan,
    phase: &'a PhasePlan,
    data: Dataset,
    range: Range,
    stop: StopFlag,
}

impl DeviceTask for Find<'_> {
    type Output = Result<Curve, TrainError>;

    fn run<D: Kernels>(self, device: D) -> Self::Output {
        let plan = self.plan;
        let params = Start::of(plan)?.params(&device, &plan.graph)?;
        let net = Net { graph: plan.graph.clone(), params };
        let spec = &plan.spec;
        let targets = loss_targets(spec, &self.data);
        let (image, augmentation) = (spec.data.image.clone(), spec.augmentation.clone());
        let loader =
            Loader::new(self.data.clone(), image, &plan.normalize, augmentation, spec.seed, spec.data.workers());
        let trial =
            Trial { plan, phase: self.phase, loader: &loader, data: &self.data, targets: &targets, stop: &self.stop };
        let bar = bar(self.range.steps);
        let curve = find(&device, net, &trial, self.range, |done| bar.set_position(done as u64));
        bar.finish_and_clear();
        curve
    }
}

fn bar(steps: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(steps as u64), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("  {bar:28.cyan/black.bright} {pos}/{len} steps, {eta} left") {
        Ok(style) => bar.with_style(style.progress_chars("━━╌")),
        Err(_) => bar,
    }
}
