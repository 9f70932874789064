//! A run on the terminal: a line an epoch, a bar while it goes on, a table at the end.

use super::number::{bytes, duration, grouped, rate};
use super::{reload, scores};
use crate::hex::short;
use crate::metrics::{Answers, Confusion, Scores};
use crate::train::Event;
use crate::train::average::Whose;
use crate::train::events::{KeptFeatures, LoadedPlugin, Together};
use crate::train::observer::{Observer, Progress};
use console::style;
use indexmap::IndexMap;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// Shows a run on the terminal. Where there is none, lines come without colour and without a bar.
pub struct Console {
    bar: ProgressBar,
    epochs: usize,
    begun: Instant,
    doing: String,
    tested: String,
}

impl Console {
    /// A console for a run of so many epochs.
    pub fn new(epochs: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let template = "  {prefix} {bar:28.cyan/black.bright} {pos}/{len} images  {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━━╌"));
        }
        Console { bar, epochs, begun: Instant::now(), doing: String::new(), tested: String::new() }
    }

    fn say(&self, line: impl AsRef<str>) {
        self.bar.suspend(|| println!("{}", line.as_ref()));
    }

    fn epoch_line(&self, event: &EpochLine<'_>) -> String {
        let width = self.epochs.to_string().len();
        let scores = |name: &str, scores: Option<&Scores>| {
            scores.map_or(String::new(), |scores| format!("   {name} {}", loss_and_accuracy(scores)))
        };
        let (val, ema) = (scores("val", event.val), scores("ema", event.val_ema));
        let whose = event.best_weights.map_or(String::new(), |whose| format!(" ({})", whose.name()));
        let best = if event.best { style(format!("  best{whose}")).green().to_string() } else { String::new() };
        format!(
            "  epoch {:>width$}/{}   train {:.4}{}{val}{ema}   {:>5.0} img/s  {:>6}{best}",
            event.epoch,
            self.epochs,
            event.train_loss,
            accuracy(event.train_accuracy),
            event.images_per_second,
            duration(event.seconds)
        )
    }

    fn started(&self, event: &Event) {
        let Event::RunStarted {
            name,
            run_dir,
            seed,
            device,
            ranks,
            data,
            fallback,
            samples,
            drawn,
            bad_images,
            weights,
            plugins,
            ..
        } = event
        else {
            return;
        };
        self.say(format!("{}  on {device}, seed {seed}", style(name).bold()));
        if let Some(Together { count, batch, step }) = ranks {
            self.say(format!("  ranks    {count}, batch {batch} each: {step} a step"));
        }
        let drawn = drawn.map_or(String::new(), |drawn| format!(" ({drawn} drawn an epoch)"));
        let counts = format!("{} train{drawn}, {} val, {} test", samples.train, samples.val, samples.test);
        let data = format!("{data}: {counts}");
        self.say(format!("  data     {}", if *fallback { style(data).yellow() } else { style(data) }));
        for bad in bad_images.iter().take(5) {
            self.say(format!("           {} {bad}", style("left out:").yellow()));
        }
        if bad_images.len() > 5 {
            self.say(format!("           and {} more (see events.jsonl)", bad_images.len() - 5));
        }
        self.say(format!("  weights  {weights}"));
        for LoadedPlugin { name, version, sha256 } in plugins {
            self.say(format!("  plugin   {name} {version} (sha256 {})", short(sha256)));
        }
        self.say(format!("  run      {run_dir}"));
    }

    fn finished(&self, event: &Event) {
        let Event::RunFinished { reason, data, best_epoch, best_weights, test, test_one_view, seconds, .. } = event
        else {
            return;
        };
        self.bar.finish_and_clear();
        if let Some(test) = test {
            let when = if *best_epoch == 0 { "as fitted".to_owned() } else { format!("epoch {best_epoch}") };
            let whose = best_weights.map_or(String::new(), |whose| format!(", {}", whose.name()));
            self.say(format!("\ntest  with the best weights ({when}{whose})"));
            self.say(scores::of_views(test, test_one_view.as_ref()).trim_end());
            if !self.tested.is_empty() {
                self.say(format!("\n{}", self.tested));
            }
        }
        let score = |test: &Scores| match test.accuracy {
            Some(accuracy) => format!(", test accuracy {accuracy:.4}"),
            None => format!(", test loss {:.4}", test.loss),
        };
        let accuracy = test.as_ref().map_or(String::new(), score);
        let line = format!("{} in {}: {reason}{accuracy}, on {data}", style("done").green(), duration(*seconds));
        self.say(line);
    }
}

struct EpochLine<'a> {
    epoch: usize,
    train_loss: f64,
    train_accuracy: Option<f64>,
    val: Option<&'a Scores>,
    val_ema: Option<&'a Scores>,
    best_weights: Option<Whose>,
    images_per_second: f64,
    seconds: f64,
    best: bool,
}

impl Observer for Console {
    fn event(&mut self, event: &Event) {
        match event {
            Event::RunStarted { .. } => self.started(event),
            Event::FeaturesExtracted { head, images, width, images_per_second, seconds } => {
                let (images, width) = (grouped(*images), grouped(*width));
                self.say(format!(
                    "\nhead {}\n  features {width} values of each of {images} images   {images_per_second:>5.0} img/s  {:>6}",
                    style(head).bold(),
                    duration(*seconds)
                ));
            }
            Event::HeadFitted {
                objective, iterations, converged, train_loss, train_accuracy, val, seconds, ..
            } => {
                let val = val.as_ref().map_or(String::new(), |val| format!("   val {}", loss_and_accuracy(val)));
                self.say(format!("  fitted   train {train_loss:.4} acc {train_accuracy:.4}{val}"));
                let end = if *converged { "converged" } else { "stopped before it converged" };
                let line = format!(
                    "  {end} after {iterations} iterations in {}, objective {objective:.6}; all else unchanged",
                    duration(*seconds)
                );
                let line = if *converged { style(line).dim() } else { style(line).yellow() };
                self.say(line.to_string());
            }
            Event::PhaseStarted { phase, epochs, lr, trainable, frozen, cache, .. } => {
                let plural = if *epochs == 1 { "" } else { "s" };
                self.say(format!(
                    "\nphase {}  {epochs} epoch{plural}, {} values train, {} frozen, lr {}",
                    style(phase).bold(),
                    grouped(*trainable),
                    grouped(*frozen),
                    rates(lr)
                ));
                if let Some(KeptFeatures { layer, draws, bytes: size, .. }) = cache {
                    let of = match draws {
                        0 => "what is validated",
                        1 => "all images",
                        _ => "some draws of each image",
                    };
                    let line = format!("  computed once up to {layer}, of {of} ({})", bytes(*size));
                    self.say(style(line).dim().to_string());
                }
            }
            Event::EpochFinished {
                epoch,
                train_loss,
                train_accuracy,
                val,
                val_ema,
                best_weights,
                images_per_second,
                seconds,
                best,
                ..
            } => {
                let line = self.epoch_line(&EpochLine {
                    epoch: *epoch,
                    train_loss: *train_loss,
                    train_accuracy: *train_accuracy,
                    val: val.as_ref(),
                    val_ema: val_ema.as_ref(),
                    best_weights: *best_weights,
                    images_per_second: *images_per_second,
                    seconds: *seconds,
                    best: *best,
                });
                self.say(line);
            }
            Event::PhaseFinished { phase, reason, restored_epoch, frozen_hash, device_memory, .. } => {
                let hash = short(frozen_hash);
                let back =
                    restored_epoch.map_or(String::new(), |epoch| format!("; back to the weights of epoch {epoch}"));
                let memory = device_memory.map_or(String::new(), |memory| {
                    format!("; at most {} of the GPU's memory ({} planned)", bytes(memory.peak), bytes(memory.estimate))
                });
                let line = format!("  {phase} ends: {reason}{back}; frozen tensors unchanged ({hash}){memory}");
                self.say(style(line).dim().to_string());
            }
            Event::AverageFinished { epochs, val, best } => {
                let plural = if *epochs == 1 { "" } else { "s" };
                let val = val.as_ref().map_or(String::new(), |val| format!("   val {}", loss_and_accuracy(val)));
                let best = if *best { style("  best").green().to_string() } else { String::new() };
                self.say(format!("  mean of the weights of {epochs} epoch{plural}{val}{best}"));
            }
            Event::RunFinished { .. } => self.finished(event),
            Event::RunResumed { checkpoint, epoch, step, notes } => {
                self.say(format!("going on after epoch {epoch}, step {step}, from {checkpoint}"));
                for note in notes {
                    self.say(format!("  {} {note}", style("note:").yellow()));
                }
            }
            Event::ReloadApplied { number, changes, .. } => self.say(reload::applied(*number, changes)),
            Event::ReloadInEffect { number, epochs, kept, initialised, dropped, .. } => {
                self.epochs = *epochs;
                self.say(reload::in_effect(*number, *kept, initialised, dropped));
            }
            Event::ReloadRejected { reason, .. } => self.say(reload::rejected(reason)),
            Event::CheckpointSaved { .. } => {}
            Event::RunInterrupted { .. } | Event::RunFailed { .. } => self.bar.finish_and_clear(),
        }
    }

    fn progress(&mut self, progress: Progress<'_>) {
        if self.doing != progress.doing || progress.done < self.bar.position() as usize {
            progress.doing.clone_into(&mut self.doing);
            self.begun = Instant::now();
            self.bar.reset();
        }
        // Short epochs would only make the terminal flicker.
        if self.begun.elapsed() < Duration::from_millis(300) {
            return;
        }
        self.bar.set_length(progress.total as u64);
        self.bar.set_position(progress.done as u64);
        let width = self.epochs.to_string().len();
        self.bar.set_prefix(match progress.epoch {
            // Before the first epoch a head is fitted.
            0 => progress.doing.to_owned(),
            epoch => format!("{epoch:>width$}/{} {}", progress.epochs, progress.doing),
        });
        let speed = progress.done as f64 / self.begun.elapsed().as_secs_f64();
        let left = duration((progress.total - progress.done) as f64 / speed);
        let loss = progress.loss.map_or(String::new(), |loss| format!("loss {loss:.4}, "));
        self.bar.set_message(format!("{loss}{speed:.0} img/s, {left} left"));
        if progress.done >= progress.total {
            self.bar.finish_and_clear();
        }
    }

    fn tested(&mut self, classes: &[String], _: &Answers, confusion: &Confusion) {
        let table = scores::class_table(classes, confusion);
        self.tested = format!("{table}\n{}", scores::confusion_table(classes, confusion));
    }
}

/// `0.0676 acc 0.9818`
fn loss_and_accuracy(scores: &Scores) -> String {
    format!("{:.4}{}", scores.loss, accuracy(scores.accuracy))
}

/// ` acc 0.9818`, where there are classes.
fn accuracy(accuracy: Option<f64>) -> String {
    accuracy.map_or(String::new(), |accuracy| format!(" acc {accuracy:.4}"))
}

/// The learning rates of more groups than this are not named one by one.
const GROUPS: usize = 6;

/// `0.003`, or `head 0.001, blocks.13-15 3e-4`, or `1e-5 to 0.001 in 19 groups`.
fn rates(lr: &IndexMap<String, f64>) -> String {
    let mut values = lr.values();
    match values.next() {
        Some(first) if values.all(|other| other.to_bits() == first.to_bits()) => rate(*first),
        _ if lr.len() > GROUPS => {
            let of = |best: fn(f64, f64) -> f64| lr.values().copied().reduce(best).map_or(String::new(), rate);
            format!("{} to {} in {} groups", of(f64::min), of(f64::max), lr.len())
        }
        _ => lr.iter().map(|(group, lr)| format!("{group} {}", rate(*lr))).collect::<Vec<_>>().join(", "),
    }
}
