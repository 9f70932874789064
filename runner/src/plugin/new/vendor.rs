//! What a plugin in Rust is built on: the crates of this runner, as they were when it was built.

/// The runner's own lock file, of which cargo keeps what the plugin needs.
pub const LOCK: &str = include_str!("../../../../Cargo.lock");

/// A file of the repository's `plugins` folder.
macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../../plugins/", $path)))),*]
    };
}

/// The interface and the SDK, without their tests: path within `plugins`, content.
pub const FILES: &[(&str, &str)] = files![
    "abi/Cargo.toml",
    "abi/runner_plugin.h",
    "abi/src/lib.rs",
    "abi/src/philox.rs",
    "sdk/Cargo.toml",
    "sdk/src/error.rs",
    "sdk/src/export.rs",
    "sdk/src/finite.rs",
    "sdk/src/host.rs",
    "sdk/src/layer.rs",
    "sdk/src/lib.rs",
    "sdk/src/parallel.rs",
    "sdk/src/parameter.rs",
    "sdk/src/pass.rs",
    "sdk/src/random.rs",
    "sdk/src/tensor.rs",
    "sdk/src/testing/host.rs",
    "sdk/src/testing/mod.rs",
    "sdk/src/testing/run.rs",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    fn walk(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_file() {
                found.insert(path.to_str().unwrap().replace('\\', "/"));
            } else if !["tests", "target"].contains(&entry.file_name().to_str().unwrap()) {
                walk(root, &path, found);
            }
        }
    }

    #[test]
    fn every_file_of_the_crates_is_among_them() {
        let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
        let mut found = BTreeSet::new();
        walk(&plugins, Path::new("abi"), &mut found);
        walk(&plugins, Path::new("sdk"), &mut found);
        assert_eq!(super::FILES.iter().map(|(path, _)| (*path).to_owned()).collect::<BTreeSet<_>>(), found);
    }
}
