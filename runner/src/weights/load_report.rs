//! The load report: which tensors of a weight file go where, and what does not fit.

use super::adapt::Adapted;
use crate::net::ParamId;
use std::fmt;
use std::path::PathBuf;

/// Lines of one kind of gap that are shown to a person; programs get all.
const SHOWN: usize = 8;

/// Which tensors of a weight file go where. Made from the file's table of contents; values are
/// read later.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LoadReport {
    /// Parameters and the file's tensors that they take.
    pub matched: Vec<(ParamId, String)>,
    /// Those of them whose values are fitted to another number of channels.
    pub adapted: Vec<Adapted>,
    /// The file.
    pub file: PathBuf,
    /// The directory of the run that it is a checkpoint of, if it is.
    pub run: Option<PathBuf>,
    /// Parameters of the net that the file lacks, those of the head and of layers that the spec put
    /// into the backbone apart.
    pub missing: Vec<String>,
    /// Tensors of the file that the net lacks, those of replaced layers apart.
    pub unexpected: Vec<String>,
    /// How many tensors of the file belong to what the net was cut before, the framework's classifier
    /// included: the architecture's own, and of no use to this net.
    pub cut_off: usize,
    /// Parameters whose shapes differ: name, net's, file's (both in file order).
    pub wrong_shape: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// One sentence for each gap that `allow` does not let pass; empty when loading may go on.
    pub refused: Vec<String>,
    /// How many parameters the net has; of the stage `head`, and of layers that the spec put into the
    /// backbone, only those that the file has too.
    pub total: usize,
    /// Whose names the file has: `timm's names`.
    pub names: String,
    /// What is worth knowing and stops nothing: allowed gaps that are none, ...
    pub notes: Vec<String>,
    /// Patterns of `allow` that let something pass, by kind of gap: missing, unexpected, shape.
    pub allowed: [Vec<String>; 3],
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "matched {} of {} parameters ({})", self.matched.len(), self.total, self.names)?;
        let counts = [self.missing.len(), self.unexpected.len(), self.wrong_shape.len()];
        for ((count, what), patterns) in
            counts.into_iter().zip(["missing", "unexpected", "of another shape"]).zip(&self.allowed)
        {
            match count {
                0 => {}
                _ if patterns.is_empty() => write!(f, ", {count} {what}")?,
                _ => write!(f, ", {count} {what} (allowed: {})", patterns.join(", "))?,
            }
        }
        if self.cut_off > 0 {
            write!(f, ", {} cut off", self.cut_off)?;
        }
        for (kind, lines) in [("refused", &self.refused), ("note", &self.notes)] {
            for line in lines.iter().take(SHOWN) {
                write!(f, "\n  {kind:<9}{line}")?;
            }
            if lines.len() > SHOWN {
                write!(f, "\n  {:<9}and {} more", "", lines.len() - SHOWN)?;
            }
        }
        Ok(())
    }
}
