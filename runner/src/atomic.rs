//! Files that are written whole or not at all.

use std::fs::File;
use std::io;
use std::path::Path;
use tempfile::NamedTempFile;

/// How the names of files begin that are not whole yet.
pub const UNFINISHED: &str = ".saving-";

/// Writes a file by `fill`: it appears under its name only when all of it is on the disk, and then
/// replaces an older one. Where `fill` or the system fails, the older one stays.
pub fn write<E: From<io::Error>>(path: &Path, fill: impl FnOnce(&mut File) -> Result<(), E>) -> Result<(), E> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = new_file(folder)?;
    fill(temporary.as_file_mut())?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    Ok(sync_folder(folder)?)
}

/// A temporary file with the permissions of any new file, where the crate would keep others out.
fn new_file(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Puts the new name itself on the disk.
fn sync_folder(folder: &Path) -> io::Result<()> {
    // Windows cannot open folders, and needs no such step.
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    let _ = folder;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;

    fn put(path: &Path, content: &[u8]) -> io::Result<()> {
        write(path, |file| file.write_all(content))
    }

    #[test]
    fn writing_replaces_and_leaves_nothing_else() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("a.json");
        put(&path, b"one")?;
        put(&path, b"two")?;
        assert_eq!(fs::read(&path)?, b"two");
        assert_eq!(fs::read_dir(dir.path())?.count(), 1);
        Ok(())
    }

    #[test]
    fn a_failure_leaves_the_older_file() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("a.json");
        put(&path, b"one")?;
        let failed = write(&path, |file| {
            file.write_all(b"half")?;
            Err(io::Error::other("the disk is full"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(&path)?, b"one");
        assert_eq!(fs::read_dir(dir.path())?.count(), 1);
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_it_as_any_new_file() -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir()?;
        put(&dir.path().join("ours"), b"x")?;
        fs::write(dir.path().join("plain"), b"x")?;
        let mode = |name: &str| Ok::<_, io::Error>(fs::metadata(dir.path().join(name))?.permissions().mode());
        assert_eq!(mode("ours")?, mode("plain")?);
        Ok(())
    }
}
