//! A pipeline written back as YAML: `resolved.yaml` of a run.

use super::Pipeline;

/// The pipeline as YAML, defaults and overrides filled in; loading it gives the same pipeline.
pub fn to_yaml(pipeline: &Pipeline) -> Result<String, serde_yaml::Error> {
    let mut bytes = Vec::new();
    let mut serializer = serde_yaml::Serializer::new(&mut bytes);
    serde_yaml::with::singleton_map_recursive::serialize(pipeline, &mut serializer)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
