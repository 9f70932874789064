//! The plan as a person reads it.

use super::{
    BoundaryReport, ChangeReport, Drawn, FittedReport, GroupReport, ImagesReport, NormReport, PhaseReport, PlanReport,
    StageReport, WeightsReport,
};
use crate::plan::pattern::overview;
use crate::report::number::{bytes, grouped, rate, rounded};
use crate::spec::Task;
use comfy_table::{CellAlignment, Table, presets};
use std::fmt;

/// Classes that the header names; of more it gives the number.
const CLASSES: usize = 8;

impl fmt::Display for PlanReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n\n{}", self.name, header(self))?;
        writeln!(f, "Layers\n\n{}", stages(self))?;
        if let Some(fitted) = &self.fitted {
            write!(f, "Head\n\n{}", head(fitted))?;
        }
        if !self.phases.is_empty() {
            let space = if self.fitted.is_some() { "\n" } else { "" };
            write!(f, "{space}Phases\n\n{}", phases(&self.phases))?;
        }
        if let Some(settings) = settings(self) {
            write!(f, "\n{settings}")?;
        }
        for warning in &self.warnings {
            write!(f, "\nwarning: {warning}\n")?;
        }
        Ok(())
    }
}

fn header(report: &PlanReport) -> String {
    let mut table = table();
    table.add_row(["data", &report.data.description]);
    match report.task {
        Task::Classify => table.add_row(["classes", &classes(&report.data.classes)]),
        Task::Reconstruct => table.add_row(["task", "reconstruct: the images themselves are the targets"]),
    };
    if let Some(drawn) = &report.data.drawn {
        table.add_row(["epoch", &oversampled(drawn)]);
    }
    table.add_row(["input", &format!("{} in batches of {}", shape(&report.input), report.batch)]);
    if let Some(budget) = report.memory_budget {
        table.add_row(["memory", &format!("at most {}", bytes(budget))]);
    }
    if let Some(cache) = &report.cache {
        table.add_row(["cache", &kept(cache)]);
    }
    let net = report.backbone.as_deref().unwrap_or("written in the spec");
    match &report.features {
        Some(tap) => table.add_row(["net", &format!("{net}, cut after {tap}")]),
        None => table.add_row(["net", net]),
    };
    for change in &report.changes {
        table.add_row(["", &changed(change)]);
    }
    table.add_row(["weights", &report.weights.as_ref().map_or_else(|| "random".to_owned(), weights)]);
    if let Some(checkpoint) = report.weights.as_ref().and_then(|weights| weights.run.as_ref()) {
        table.add_row(["", checkpoint]);
    }
    for note in report.weights.iter().flat_map(|weights| &weights.notes) {
        table.add_row(["", note]);
    }
    for plugin in &report.plugins {
        table.add_row(["plugin", &format!("{} {} ({})", plugin.name, plugin.version, plugin.path)]);
        table.add_row(["", &format!("sha256 {}", plugin.sha256)]);
        if !plugin.on_gpu.is_empty() {
            table.add_row(["", &format!("takes tensors on the GPU: {}", plugin.on_gpu.join(", "))]);
        }
    }
    table.add_row(["device", &report.device]);
    table.add_row(["seed", &report.seed.to_string()]);
    render(&table)
}

/// `898 images decoded, 23.7 MiB: all are kept`
fn kept(cache: &ImagesReport) -> String {
    let ImagesReport { images, expected, most, fits } = *cache;
    let how = match (most, fits) {
        (0, _) => "none is kept".to_owned(),
        (_, true) => "all are kept".to_owned(),
        (_, false) => format!("{} of them are kept", bytes(most)),
    };
    format!("{} images decoded, {}: {how}", grouped(images), bytes(expected))
}

/// `3: erythrocyte, leukocyte, platelet`
fn classes(classes: &[String]) -> String {
    let names = classes.iter().take(CLASSES).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if classes.len() > CLASSES { ", ..." } else { "" };
    format!("{}: {names}{more}", classes.len())
}

/// `1620 images, oversampled: erythrocyte 540, leukocyte 540, platelet 540`
fn oversampled(drawn: &Drawn) -> String {
    let Some(images) = drawn.images else {
        return "oversampled; how many images is known once the data is there".into();
    };
    let classes = drawn.classes.iter().take(CLASSES).map(|(class, count)| format!("{class} {count}"));
    let more = if drawn.classes.len() > CLASSES { ", ..." } else { "" };
    format!("{images} images, oversampled: {}{more}", classes.collect::<Vec<_>>().join(", "))
}

/// `layer3.dropout inserted, 6x6x256`
fn changed(change: &ChangeReport) -> String {
    let ChangeReport { name, layer, replaces, output } = change;
    let how = if *replaces { format!("replaced by {layer}") } else { "inserted".to_owned() };
    format!("{name} {how}, {}", shape(output))
}

fn weights(weights: &WeightsReport) -> String {
    let WeightsReport { file, matched, total, names, .. } = weights;
    let gaps = [
        ("missing", &weights.missing),
        ("unexpected", &weights.unexpected),
        ("of another shape", &weights.wrong_shape),
    ];
    let gaps = gaps.into_iter().filter(|(_, tensors)| !tensors.is_empty());
    let parts = [format!("{file}: {matched} of {total} tensors ({names})")];
    let cut_off = (weights.cut_off > 0).then(|| format!("{} cut off", weights.cut_off));
    parts
        .into_iter()
        .chain(gaps.map(|(what, tensors)| format!("{} {what}", tensors.len())))
        .chain(cut_off)
        .collect::<Vec<_>>()
        .join(", ")
}

fn stages(report: &PlanReport) -> String {
    let mut table = table();
    table.set_header(["stage", "output", "parameters", "mult-adds", "layers"]);
    for stage in &report.stages {
        table.add_row([
            stage.name.clone(),
            shape(&stage.output),
            grouped(stage.parameters),
            rounded(stage.multiply_adds),
            layers(stage),
        ]);
    }
    let total = ["total".to_owned(), String::new(), grouped(report.parameters), rounded(report.multiply_adds)];
    table.add_row(total);
    for head in &report.auxiliary {
        let (parameters, work) = (grouped(head.parameters), rounded(head.multiply_adds));
        table.add_row([head.name.clone(), shape(&head.output), parameters, work, layers(head)]);
    }
    align(&mut table, &[1, 2, 3]);
    render(&table)
}

fn head(head: &FittedReport) -> String {
    let mut table = table();
    table.add_row(["fitted", &head.how]);
    table.add_row(["features", &format!("{} values of each training image, as it is", grouped(head.features))]);
    let (parameters, frozen) = (grouped(head.parameters), grouped(head.frozen));
    table.add_row(["trainable", &format!("{parameters} in {}, {frozen} frozen", head.layer)]);
    render(&table)
}

fn layers(stage: &StageReport) -> String {
    let kinds = stage.layers.iter().map(|(kind, count)| match count {
        1 => kind.clone(),
        _ => format!("{kind} x{count}"),
    });
    kinds.collect::<Vec<_>>().join(", ")
}

fn shape(dims: &[usize]) -> String {
    dims.iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
}

fn phases(phases: &[PhaseReport]) -> String {
    let mut table = table();
    table.set_header(["phase", "epochs", "trains", "lr", "trainable", "frozen", "batch norm", "boundary", "memory"]);
    for phase in phases {
        let mut groups = groups(&phase.groups).into_iter();
        let [name, lr] = groups.next().unwrap_or_default();
        table.add_row([
            phase.name.clone(),
            phase.epochs.to_string(),
            name,
            lr,
            grouped(phase.trainable),
            grouped(phase.frozen),
            norms(phase.batch_norm),
            boundary(phase.boundary.as_ref()),
            bytes(phase.memory.total),
        ]);
        for [name, lr] in groups {
            table.add_row([String::new(), String::new(), name, lr]);
        }
    }
    align(&mut table, &[1, 3, 4, 5, 8]);
    render(&table)
}

/// More groups than this are drawn together, those of one pattern or else of one rate.
const GROUPS: usize = 6;

/// What trains and how fast, a line a group. Many groups are drawn together: `stem, blocks.0-15, head`
/// and `1e-5 to 3e-4`.
fn groups(groups: &[GroupReport]) -> Vec<[String; 2]> {
    if groups.len() <= GROUPS {
        return groups.iter().map(|group| [group.name.clone(), rate(group.lr)]).collect();
    }
    let together = groups.chunk_by(|a, b| a.part_of == b.part_of);
    together.map(|parts| [names(parts), rates(parts)]).collect()
}

fn names(groups: &[GroupReport]) -> String {
    let names = || groups.iter().map(|group| group.name.as_str());
    // Towards the image, runs of numbers go down, and are drawn together the other way round.
    let (forth, back) = (overview(names()), overview(names().rev()));
    if back.len() < forth.len() { back } else { forth }
}

fn rates(groups: &[GroupReport]) -> String {
    let rates = || groups.iter().map(|group| group.lr);
    let (low, high) = (rates().fold(f64::INFINITY, f64::min), rates().fold(0.0, f64::max));
    if rate(low) == rate(high) { rate(low) } else { format!("{} to {}", rate(low), rate(high)) }
}

/// How phases go and end, for those that do not simply run at their rates for their epochs.
fn settings(report: &PlanReport) -> Option<String> {
    let mut table = table();
    let mut told = None;
    for phase in &report.phases {
        let mut settings = settings_of(phase, report.batch);
        // What holds of several phases is told of the first.
        settings.extend(phase.cache.why.clone().filter(|why| told != Some(why)));
        told = phase.cache.why.as_ref();
        for (place, setting) in settings.into_iter().enumerate() {
            table.add_row([if place == 0 { phase.name.clone() } else { String::new() }, setting]);
        }
    }
    (!table.is_empty()).then(|| render(&table))
}

fn settings_of(phase: &PhaseReport, batch: usize) -> Vec<String> {
    let ends = phase.auxiliary.as_ref().map(|auxiliary| {
        format!("ends at `{}` after `{}`: what is above is not computed", auxiliary.stage, auxiliary.after)
    });
    let pieces = (phase.micro_batch < batch).then(|| format!("batches in pieces of {}", phase.micro_batch));
    let rates = over_time(phase).map(|course| format!("learning rates: {course}"));
    let again = phase.rewarm.as_ref().map(|rewarm| format!("what trained before: {rewarm} from {}", rewarm.from));
    let until = phase.until.as_ref().map(|until| format!("ends when {until}"));
    let restore = phase.restore_best.then(|| "the next phase begins with its best weights".to_owned());
    let reset = phase.reset_optimizer.then(|| "the optimizer begins anew".to_owned());
    let norm = phase.clip_grad_norm.map(|norm| format!("gradients are clipped to a norm of {norm}"));
    let value = phase.clip_grad_value.map(|value| format!("gradients are clipped to values up to {value}"));
    let cache = Some(phase.cache.to_string());
    let later = phase.cache.for_later.iter().map(ToString::to_string);
    let said = [ends, pieces, rates, again, until, restore, reset, norm, value, cache];
    said.into_iter().flatten().chain(later).collect()
}

/// How a phase's learning rates change, where they do.
fn over_time(phase: &PhaseReport) -> Option<String> {
    match (&phase.warm_up, &phase.scheduler) {
        (None, None) => None,
        (None, Some(scheduler)) => Some(scheduler.to_string()),
        (Some(warm_up), None) => Some(format!("{warm_up} from {}, then constant", warm_up.from)),
        (Some(warm_up), Some(scheduler)) => Some(format!("{warm_up} from {}, then {scheduler}", warm_up.from)),
    }
}

fn norms(norms: NormReport) -> String {
    let counts = [("train", norms.train), ("statistics", norms.statistics), ("frozen", norms.frozen)];
    let modes: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
    match modes.as_slice() {
        [] => "none".to_owned(),
        [(mode, _)] => (*mode).to_owned(),
        [(mode, count), ("frozen", frozen)] => format!("{count} of {} {mode}", count + frozen),
        several => several.iter().map(|(mode, count)| format!("{count} {mode}")).collect::<Vec<_>>().join(", "),
    }
}

/// The stage that the boundary is in; programs get the layer too.
fn boundary(boundary: Option<&BoundaryReport>) -> String {
    match boundary {
        None => "end".to_owned(),
        Some(BoundaryReport { place: 0, .. }) => "image".to_owned(),
        Some(boundary) => boundary.stage.clone(),
    }
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table
}

fn align(table: &mut Table, right: &[usize]) {
    for &column in right {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// The table, two spaces in (one is the table's own), with no space at the ends of lines.
fn render(table: &Table) -> String {
    let mut text = String::new();
    for line in table.lines() {
        text.push(' ');
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
