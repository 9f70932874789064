//! Reads the files of a `.tar.gz` archive into memory. Nothing is unpacked to disk, so no path in
//! it can lead anywhere.

use crate::hex::sha256;
use flate2::read::GzDecoder;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Component, Path};

/// The needed files of an archive, by their path without the archive's outermost folder.
pub type Archive = BTreeMap<String, Vec<u8>>;

/// No archive unpacks to more bytes, what is not needed included.
const LARGEST: u64 = 4 << 30;

/// The needed files together are no larger.
const LARGEST_NEEDED: u64 = 1 << 30;

/// Reads the needed files of an archive.
pub fn read(file: &Path, needs: fn(&str) -> bool) -> Result<Archive, String> {
    let packed = File::open(file).map_err(|error| error.to_string())?;
    let unpacked = GzDecoder::new(BufReader::new(packed)).take(LARGEST);
    let mut archive = tar::Archive::new(unpacked);
    let broken = |error: std::io::Error| format!("it is no sound .tar.gz archive: {error}");
    let mut files = Archive::new();
    let mut left = LARGEST_NEEDED;
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let Some(path) = within(&entry.path().map_err(broken)?) else { continue };
        if !needs(&path) {
            continue;
        }
        let mut bytes = Vec::new();
        entry.by_ref().take(left).read_to_end(&mut bytes).map_err(broken)?;
        if (bytes.len() as u64) < entry.size() {
            return Err(format!("it is cut short, or larger than {LARGEST_NEEDED} bytes"));
        }
        left -= bytes.len() as u64;
        files.insert(path, bytes);
    }
    Ok(files)
}

/// A path of the archive without its outermost folder; `None` for one that leads out of it.
fn within(path: &Path) -> Option<String> {
    let parts = path
        .components()
        .filter(|part| *part != Component::CurDir)
        .map(|part| match part {
            Component::Normal(part) => part.to_str(),
            _ => None,
        })
        .collect::<Option<Vec<&str>>>()?;
    match parts.as_slice() {
        [_, rest @ ..] if !rest.is_empty() => Some(rest.join("/")),
        _ => None,
    }
}

/// The fingerprint of files: the SHA-256 of what `sha256sum` prints of them, sorted by path. So
/// it can be had without this program:
/// `find FILES -type f | LC_ALL=C sort | xargs sha256sum | sha256sum`.
pub fn fingerprint<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> String {
    let hashes: BTreeMap<&str, String> = files.into_iter().map(|(path, bytes)| (path, sha256(bytes))).collect();
    of_hashes(&hashes)
}

/// The fingerprint of files whose hashes are known.
pub(super) fn of_hashes(hashes: &BTreeMap<&str, String>) -> String {
    let mut list = String::new();
    for (path, hash) in hashes {
        // Writing to a string cannot fail.
        let _ = writeln!(list, "{hash}  {path}");
    }
    sha256(list.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::testing::tar_gz;
    use super::*;

    fn write(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.tar.gz");
        std::fs::write(&file, bytes).unwrap();
        (folder, file)
    }

    #[test]
    fn needed_files_are_read_without_the_outermost_folder() {
        let (_folder, file) = write(&tar_gz(&[("top/a/1.txt", b"one"), ("top/b.txt", b"two"), ("top/c.bin", b"no")]));
        let files = read(&file, |path| path != "c.bin").unwrap();
        assert_eq!(
            files.into_iter().collect::<Vec<_>>(),
            [("a/1.txt".to_owned(), b"one".to_vec()), ("b.txt".to_owned(), b"two".to_vec())]
        );
    }

    #[test]
    fn paths_that_lead_out_are_not_taken() {
        let (_folder, file) = write(&tar_gz(&[("top/../../evil", b"x"), ("/etc/evil", b"x"), ("evil", b"x")]));
        assert_eq!(read(&file, |_| true).unwrap(), Archive::new());
    }

    #[test]
    fn broken_archives_are_told() {
        let whole = tar_gz(&[("top/a", &[7; 10_000])]);
        for bytes in [&b""[..], b"no archive", &whole[..whole.len() / 2], &whole[..12]] {
            let (_folder, file) = write(bytes);
            let result = read(&file, |_| true);
            assert!(
                result.as_ref().is_err_and(|error| error.contains("archive") || error.contains("short")),
                "{result:?}"
            );
        }
    }

    #[test]
    fn the_fingerprint_is_what_sha256sum_makes_of_it() {
        // printf x > a; printf y > b; sha256sum a b | sha256sum
        assert_eq!(
            fingerprint([("b", &b"y"[..]), ("a", b"x")]),
            "8d73e01349b30f78751f37931b0d2ae54f8dbd56a8fc69e01f2861cc466fadaa"
        );
    }
}
