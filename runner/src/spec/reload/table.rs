//! Every field of the spec, when a change of it takes effect, and why then.

use super::Class::{self, NextEpoch, NextPhase, Now, Rebuild, Restart};

/// Fields of one class, for one reason.
pub struct Row {
    pub class: Class,
    /// Where the fields are: each of these places has each of them. `*` is any entry.
    places: &'static [&'static str],
    /// Their keys at these places; an empty one is the place itself.
    keys: &'static [&'static str],
    /// Why, or how it comes into effect.
    pub why: &'static str,
}

impl Row {
    /// The part of the spec that its fields are in, the first of them at least; empty at the top.
    pub fn part(&self) -> &'static str {
        self.places.first().and_then(|place| place.split('.').next()).unwrap_or_default()
    }

    /// The paths of its fields.
    pub fn fields(&self) -> impl Iterator<Item = String> {
        self.places.iter().flat_map(|place| {
            self.keys.iter().map(move |key| match (*place, *key) {
                ("", key) => key.to_owned(),
                (place, "") => place.to_owned(),
                (place, key) => format!("{place}.{key}"),
            })
        })
    }
}

const fn row(class: Class, places: &'static [&'static str], keys: &'static [&'static str], why: &'static str) -> Row {
    Row { class, places, keys, why }
}

/// All fields of a spec. A list of layers or of augmentations is one field, and so is a map by the names
/// of classes, stages or layers.
pub const ROWS: &[Row] = &[
    row(Restart, &[""], &["name"], "The run's directory is named by it."),
    row(Restart, &[""], &["seed"], "All that is random depends on it, and much has been drawn."),
    row(Restart, &[""], &["device"], "The net is there."),
    row(Restart, &["engine"], &["", "winograd", "precision"], "What was computed before would have other last bits."),
    row(Restart, &[""], &["task"], "Another task needs another net."),
    row(Now, &["checkpoint"], &["", "every", "keep"], "It is looked at after each step."),
    row(
        NextEpoch,
        &["cache"],
        &["", "views", "memory", "disk", "precision"],
        "What the frozen prefix gives is looked up, or computed, when an epoch begins.",
    ),
    row(NextEpoch, &[""], &["memory_budget"], "Batches are computed in the pieces that fit into it."),
    row(
        Rebuild,
        &[""],
        &["layers", "head", "decoder"],
        "Of a list of layers some come, some go, some have other arguments; a head that is fitted is told of below.",
    ),
    row(
        Restart,
        &["data.source", "data.fallback"],
        &["", "dataset", "folder", "images", "manifest", "npz", "synthetic"],
        "What was learnt on other images is the result of another run.",
    ),
    row(
        Restart,
        &["data.image"],
        &["size", "channels", "normalize", "normalize.custom", "normalize.custom.mean", "normalize.custom.std", "fit"],
        "The net was planned for images of this form, and what it has learnt was learnt from them.",
    ),
    row(
        Restart,
        &["data.split"],
        &["train", "val", "test", "folds", "fold", "stratify", "group"],
        "Images that the net was trained on would be among those that test it.",
    ),
    row(Restart, &["data"], &["cache"], "Memory for images is set aside before they are looked at."),
    row(Restart, &["data"], &["max_bad"], "Images were looked at before the first step."),
    row(NextEpoch, &["data"], &["batch"], "The images of an epoch are dealt into batches when it begins."),
    row(NextEpoch, &["data"], &["micro_batch"], "Batches are computed in pieces of this size."),
    row(NextEpoch, &["data"], &["oversample"], "The images of an epoch are drawn when it begins."),
    row(NextEpoch, &["data"], &["workers"], "The threads begin with an epoch; the speed changes, the result does not."),
    row(
        Rebuild,
        &["plugins", "plugins.load"],
        &["", "*.path", "*.sha256"],
        "The library is checked, and takes over where the net is built anew; the old one stays loaded.",
    ),
    row(Rebuild, &["plugins"], &["guard"], "Layers are guarded, or not, from when they are made."),
    row(Restart, &["backbone"], &["", "arch"], "Another backbone is another net."),
    row(
        Restart,
        &["backbone.weights", "weights"],
        &["", "run", "file", "checkpoint", "take", "allow", "allow.missing", "allow.unexpected", "allow.shape"],
        "Weights were loaded before the first step.",
    ),
    row(
        Restart,
        &["backbone"],
        &["input", "input.adapt", "allow", "allow.missing", "allow.unexpected", "allow.shape", "init"],
        "It says how weights come into the net before the first step.",
    ),
    row(Restart, &["backbone"], &["features"], "The net ends elsewhere, and its head would begin from nothing."),
    row(
        Rebuild,
        &["backbone"],
        &["insert", "insert.after", "insert.layer", "insert.*.after", "insert.*.layer", "replace"],
        "Layers come into the net, leave it, or have other arguments.",
    ),
    row(
        Restart,
        &["head.linear_svm"],
        &["", "c", "loss", "tolerance", "max_iterations", "standardize"],
        "The head was fitted before the first phase.",
    ),
    row(
        Restart,
        &["head.logistic"],
        &["", "c", "tolerance", "max_iterations", "standardize"],
        "The head was fitted before the first phase.",
    ),
    row(
        Restart,
        &["head"],
        &["convert_fc"],
        "The pretrained classifier was brought into this form when it was loaded.",
    ),
    row(NextEpoch, &["augmentation"], &["train", "batch", "features"], "The images of an epoch are varied in one way."),
    row(NextEpoch, &["augmentation.test"], &["", "views", "do"], "The test comes when all epochs are done."),
    row(
        NextEpoch,
        &["regularization"],
        &["label_smoothing", "class_weights", "focal_loss", "focal_loss.gamma", "focal_loss.alpha"],
        "The losses of an epoch are comparable.",
    ),
    row(
        NextEpoch,
        &["regularization.early_stopping"],
        &["", "metric", "patience", "min_delta", "restore_best"],
        "It is looked at when an epoch is done.",
    ),
    row(Now, &["regularization"], &["clip_grad_norm", "clip_grad_value"], "Gradients are clipped step by step."),
    row(
        NextEpoch,
        &["regularization"],
        &["l1", "l2", "l2_sp", "l2_sp.alpha", "l2_sp.beta", "max_norm", "max_norm.bound", "max_norm.only"],
        "What acts on which weights is looked up when an epoch begins.",
    ),
    row(
        NextEpoch,
        &["regularization.gradient_noise"],
        &["", "eta", "gamma"],
        "It decays with the steps of the run, those before it came included.",
    ),
    row(
        NextEpoch,
        &["regularization"],
        &["ema", "ema.decay", "ema.warm_up"],
        "An average that comes begins with the weights as they are then; one that goes is forgotten.",
    ),
    row(
        NextEpoch,
        &["regularization"],
        &["swa", "swa.from_epoch", "swa.every"],
        "Weights are taken into the average when an epoch is done; what was taken stays in it.",
    ),
    row(
        NextPhase,
        &["schedule"],
        &["optimizer"],
        "What one optimizer remembers means nothing to another, so that another one begins with a phase, from nothing.",
    ),
    row(
        Now,
        &["schedule.optimizer.adamw"],
        &["", "betas", "eps", "weight_decay", "decay_norm_and_bias"],
        "The optimizer goes on with other numbers; what it remembers stays.",
    ),
    row(
        Now,
        &["schedule.optimizer.sgd"],
        &["", "momentum", "nesterov", "weight_decay", "decay_norm_and_bias"],
        "The optimizer goes on with other numbers; what it remembers stays.",
    ),
    row(
        Now,
        &["schedule.scheduler", "schedule.phases.*.scheduler"],
        &[
            "",
            "constant",
            "step",
            "step.every",
            "step.factor",
            "cosine",
            "cosine.min",
            "cosine.restarts",
            "one_cycle",
            "one_cycle.rise",
            "one_cycle.start",
            "one_cycle.end",
            "exponential",
            "exponential.factor",
            "polynomial",
            "polynomial.power",
            "polynomial.end",
            "reduce_on_plateau",
            "reduce_on_plateau.metric",
            "reduce_on_plateau.factor",
            "reduce_on_plateau.patience",
            "reduce_on_plateau.min_delta",
            "reduce_on_plateau.min",
        ],
        "A factor is a function of the step in its phase, as if it had been so from the phase's first step.",
    ),
    row(
        Now,
        &["schedule.warm_up", "schedule.phases.*.warm_up", "schedule.phases.*.rewarm"],
        &["", "epochs", "steps", "from"],
        "A factor is a function of the step in its phase, as if it had been so from the phase's first step.",
    ),
    row(NextPhase, &["schedule"], &["phases"], "Phases go by name: one of another name is another phase."),
    row(NextPhase, &["schedule.phases.*"], &["name"], "Phases go by name: one of another name is another phase."),
    row(
        NextPhase,
        &["schedule.phases.*"],
        &["epochs", "max_epochs"],
        "The phase that runs ends when so many are done, at the earliest with the one that runs; schedulers go over the new \
         length.",
    ),
    row(
        NextPhase,
        &["schedule.phases.*.until", "schedule.layerwise.until"],
        &[
            "",
            "plateau",
            "plateau.metric",
            "plateau.patience",
            "plateau.min_delta",
            "metric",
            "above",
            "below",
            "epoch",
        ],
        "It is looked at when an epoch is done, with all epochs that the phase has had.",
    ),
    row(
        NextPhase,
        &["schedule.phases.*", "schedule.layerwise"],
        &["restore_best"],
        "The best weights are kept from the next epoch's end on.",
    ),
    row(
        NextPhase,
        &["schedule.phases.*"],
        &["train", "batch_norm"],
        "What trains stays the same while a phase runs: of the one that runs a change is refused; end it and add another.",
    ),
    row(
        Now,
        &[
            "schedule.lr",
            "schedule.phases.*.lr",
            "schedule.linear_probe_then_fine_tune.lr",
            "schedule.progressive_freezing.lr",
        ],
        &["", "layer_decay", "top", "discriminative", "discriminative.top", "discriminative.bottom"],
        "The next step is taken at the new rates, times the scheduler's factor.",
    ),
    row(Now, &["schedule.phases.*"], &["weight_decay"], "Weights decay step by step."),
    row(Now, &["schedule.phases.*"], &["clip_grad_norm", "clip_grad_value"], "Gradients are clipped step by step."),
    row(NextPhase, &["schedule.phases.*"], &["reset_optimizer"], "It is done when a phase begins."),
    row(NextPhase, &["schedule"], &["epochs"], "The shorthand is written out again, and its phases go by name."),
    row(
        NextPhase,
        &["schedule"],
        &["gradual_unfreeze", "unfreeze_at", "freeze_to", "frozen_stages", "fine_tune", "linear_probe_then_fine_tune"],
        "The shorthand is written out again, and its phases go by name.",
    ),
    row(
        NextPhase,
        &["schedule"],
        &[
            "progressive_freezing",
            "progressive_freezing.first",
            "progressive_freezing.every",
            "progressive_freezing.stages",
        ],
        "The shorthand is written out again, and its phases go by name.",
    ),
    row(
        NextPhase,
        &["schedule"],
        &[
            "gradual_unfreeze.every",
            "gradual_unfreeze.from",
            "gradual_unfreeze.stages",
            "fine_tune.frozen_epochs",
            "fine_tune.epochs",
            "linear_probe_then_fine_tune.probe_epochs",
            "linear_probe_then_fine_tune.epochs",
            "layerwise.epochs",
        ],
        "The shorthand is written out again, and its phases go by name.",
    ),
    row(
        Now,
        &["schedule"],
        &[
            "gradual_unfreeze.lr",
            "gradual_unfreeze.decay",
            "fine_tune.lr",
            "fine_tune.lr_mult",
            "linear_probe_then_fine_tune.probe_lr",
            "layerwise.lr",
        ],
        "The next step is taken at the new rates, times the scheduler's factor.",
    ),
    row(
        Rebuild,
        &["schedule.layerwise"],
        &["", "group_size", "stages"],
        "Each group has an auxiliary head: with other groups, heads come and go.",
    ),
];
