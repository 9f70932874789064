//! What a finished run left: its net with the best weights, ready to answer.

use super::CommandError;
use super::run::run_dir_of;
use crate::data::DataFacts;
use crate::engine::Kernels;
use crate::net::{Graph, Net, Param};
use crate::plan::{Normalization, Plan};
use crate::spec::{Backbone, Channels, Loaded, Pipeline, Problems, load};
use crate::train::checkpoint::{self, About};
use crate::weights::WeightFile;
use std::path::Path;

/// What a run left.
pub struct Trained {
    /// The spec, as it was understood; its paths are absolute.
    pub spec: Pipeline,
    /// The net.
    pub graph: Graph,
    /// How many images it is to answer at a time, at most.
    pub piece: usize,
    /// How byte values become its inputs.
    pub normalize: Normalization,
    /// What the checkpoint says of itself.
    pub about: About,
    loaded: Loaded,
    file: WeightFile,
}

impl Trained {
    /// Opens a run directory: its `resolved.yaml` and its best checkpoint.
    pub fn open(run: &Path) -> Result<Self, CommandError> {
        let dir = run_dir_of(run)?;
        let loaded = load(&dir.file("resolved.yaml"), &[])?;
        let spec = loaded.pipeline.clone();
        let path = dir.best();
        if !path.is_file() {
            return Err(CommandError::RunDir(format!("{}: the run has no best weights yet", run.display())));
        }
        let file = WeightFile::open_whole(&path)?;
        let about = checkpoint::about(&file)
            .ok_or_else(|| CommandError::RunDir(format!("{}: no checkpoint of a run", path.display())))?;
        let plan = plan_of_net(&spec, &about.classes, &loaded.dir).map_err(|problems| loaded.error(&problems))?;
        let piece = plan.phases.last().map_or(usize::MAX, |phase| phase.micro_batch);
        let (graph, normalize) = (plan.graph.without_auxiliary(), plan.normalize);
        Ok(Trained { spec, graph, piece, normalize, about, loaded, file })
    }

    /// Puts another net of the same backbone in the place of the run's.
    pub fn cut(&mut self, other: impl FnOnce(&Loaded) -> Result<Pipeline, CommandError>) -> Result<(), CommandError> {
        let spec = other(&self.loaded)?;
        let plan = plan_of_net(&spec, &self.about.classes, &self.loaded.dir);
        let plan = plan.map_err(|problems| self.loaded.error(&problems))?;
        (self.graph, self.normalize) = (plan.graph.without_auxiliary(), plan.normalize);
        Ok(())
    }

    /// The values of a parameter, in memory order.
    pub fn values(&mut self, param: &Param) -> Result<Vec<f32>, CommandError> {
        Ok(checkpoint::read_param(&mut self.file, param)?)
    }

    /// Whether it is an autoencoder, which gives images and no classes.
    pub fn reconstructs(&self) -> bool {
        self.graph.reconstructs()
    }

    /// An error where image files cannot be what the net takes.
    pub fn refuse_files(&self) -> Result<(), CommandError> {
        match self.spec.data.image.channels {
            Channels::Many(count) => Err(CommandError::RunDir(format!(
                "the net takes images of {count} channels, and image files have one or three"
            ))),
            Channels::Rgb | Channels::Gray => Ok(()),
        }
    }

    /// The net with its values on a device.
    pub fn net<D: Kernels>(&mut self, device: &D) -> Result<Net<D>, CommandError> {
        let params = checkpoint::read_params(&mut self.file, device, &self.graph)?;
        Ok(Net { graph: self.graph.clone(), params })
    }
}

/// The plan of a run's net, for which neither its data nor its pretrained weights have to be there
/// any more.
fn plan_of_net(spec: &Pipeline, classes: &[String], dir: &Path) -> Result<Plan, Problems> {
    let backbone = spec.backbone.clone().map(|backbone| Backbone { weights: None, ..backbone });
    let facts = DataFacts { classes: classes.to_vec(), samples: None, description: String::new(), fallback: false };
    Plan::over(&Pipeline { backbone, weights: None, ..spec.clone() }, dir, facts)
}
