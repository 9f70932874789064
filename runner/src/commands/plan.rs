//! `runner plan`: what a spec would do, without doing it.

use super::CommandError;
use crate::data::cache::{self, Expected, Leads};
use crate::data::open;
use crate::plan::Plan;
use crate::ranks::Ranks;
use crate::report::{ImagesReport, PlanReport};
use crate::spec::{self, Loaded, Override, SpecError};
use std::io::{self, Write};
use std::path::Path;

/// Prints the plan of a spec, for a person or as JSON. `sets` are values in place of the spec's, as
/// `schedule.phases.0.epochs=1`.
///
/// Of several ranks the first does it.
pub fn run(spec: &Path, sets: &[String], json: bool, ranks: &Ranks, out: &mut impl Write) -> Result<(), CommandError> {
    let (loaded, plan) = load(spec, sets)?;
    let report = PlanReport { cache: cache(&plan, &loaded.dir), ..PlanReport::of(&plan) };
    if json {
        serde_json::to_writer_pretty(&mut *out, &report).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        if ranks.are_several() {
            let (count, batch) = (ranks.count(), plan.spec.data.batch);
            writeln!(out, "{count} ranks, batch {batch} each: {} a step", count * batch)?;
        }
        write!(out, "{report}")?;
    }
    Ok(out.flush()?)
}

/// What keeping the images would take, where the data is near enough to look.
fn cache(plan: &Plan, dir: &Path) -> Option<ImagesReport> {
    let spec = &plan.spec;
    let data = open::open_near(&spec.data, dir, spec.seed).filter(|data| !data.images.in_memory())?;
    let expected = Expected::of(&data, &Leads::new(&spec.data.image, &spec.augmentation));
    let most = cache::most(spec);
    Some(ImagesReport { images: expected.images, expected: expected.bytes, most, fits: expected.bytes <= most })
}

/// Reads a spec and plans it.
pub fn load(spec: &Path, sets: &[String]) -> Result<(Loaded, Plan), SpecError> {
    let loaded = spec::load(spec, &Override::all(sets))?;
    match Plan::new(&loaded.pipeline, &loaded.dir) {
        Ok(plan) => Ok((loaded, plan)),
        Err(problems) => Err(loaded.error(&problems)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::check;

    fn spec(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines").join(name)
    }

    fn sets(sets: &[&str]) -> Vec<String> {
        sets.iter().map(|&set| set.to_owned()).collect()
    }

    #[test]
    fn the_same_plan_for_a_person_and_for_programs() {
        let (mut text, mut json) = (Vec::new(), Vec::new());
        let sets = sets(&["schedule.phases.0.epochs=3"]);
        run(&spec("from_scratch.yaml"), &sets, false, &Ranks::alone(), &mut text).unwrap();
        run(&spec("from_scratch.yaml"), &sets, true, &Ranks::alone(), &mut json).unwrap();
        let text = String::from_utf8(text).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert!(text.starts_with("from_scratch\n"), "{text}");
        assert!(text.contains("synthetic blood_cells"), "{text}");
        assert_eq!(json["phases"][0]["epochs"], 3);
        assert_eq!(json["phases"][0]["trainable"], json["parameters"]);
        assert_eq!(json["weights"], serde_json::Value::Null);
    }

    #[test]
    fn checking_says_what_there_is() {
        let mut out = Vec::new();
        check::run(&spec("from_scratch.yaml"), &[], &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.ends_with("from_scratch.yaml is fine: 1 phase, 24 epochs, all 23,891 parameters train\n"),
            "{text}"
        );

        let mut out = Vec::new();
        check::run(&spec("from_scratch.yaml"), &sets(&["schedule.phases.0.train=[head]"]), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("195 of 23,891 parameters train\nwarning: random weights"), "{text}");
    }

    #[test]
    fn problems_point_into_the_file_or_the_override() {
        let sets = sets(&["schedule.phases.0.train=[haed]", "data.image.size=2"]);
        let error = run(&spec("from_scratch.yaml"), &sets, false, &Ranks::alone(), &mut Vec::new()).unwrap_err();
        let CommandError::Spec(error) = error else { panic!("{error}") };
        let text = error.render(false);
        assert!(text.contains("--set:1:") && text.contains("did you mean `head`?"), "{text}");
        assert!(text.contains("from_scratch.yaml:"), "{text}");
    }
}
