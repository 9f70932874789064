//! Watches a file for saves, whatever way an editor saves.

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// How saves are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The system tells. It does not on some network file systems.
    Events,
    /// The file is read every so often.
    Poll(Duration),
}

/// What was seen of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// It was saved, and says something else than before.
    Saved(Vec<u8>),
    /// It is not there any more, or cannot be read: the system's words.
    Gone(String),
}

/// A save may come in several writes: the file is read when nothing has happened for this long.
const QUIET: Duration = Duration::from_millis(40);

/// An empty file is most likely one that was cut and is about to be written.
const EMPTY_QUIET: Duration = Duration::from_millis(400);

/// A file that is written without pause is read after this long all the same.
const LONGEST: Duration = Duration::from_millis(200);

/// Watches one file on a thread of its own until it is dropped.
#[derive(Debug)]
pub struct FileWatch {
    seen: Receiver<Seen>,
    /// Keeps the system's watch alive; the thread ends when its events do.
    _events: Option<RecommendedWatcher>,
    /// Why it polls though it was to be told.
    pub fell_back: Option<String>,
}

impl FileWatch {
    /// Watches `path`, which says `known` now. Where the system cannot watch it is polled instead.
    pub fn start(path: &Path, known: &[u8], how: How) -> Self {
        let (ring, bell) = mpsc::channel();
        let (tell, seen) = mpsc::channel();
        let (events, interval, fell_back) = match how {
            How::Events => match watch_folder(path, ring.clone()) {
                Ok(watcher) => (Some(watcher), None, None),
                Err(error) => (None, Some(Duration::from_secs(1)), Some(error.to_string())),
            },
            How::Poll(interval) => (None, Some(interval), None),
        };
        let follower = Follower { path: path.to_owned(), known: hash(known), gone: false, tell };
        // It may have been saved since it was read.
        let _ = ring.send(());
        // Where polling, nobody rings: the thread keeps one end, so that the bell never breaks.
        let kept = interval.map(|_| ring);
        let spawned = thread::Builder::new().name("watch".to_owned()).spawn(move || {
            let _kept = kept;
            follower.follow(&bell, interval);
        });
        let fell_back = fell_back.or(spawned.err().map(|error| error.to_string()));
        FileWatch { seen, _events: events, fell_back }
    }

    /// What was seen last, if anything new was; what was saved before it in between is passed over.
    pub fn latest(&self) -> Option<Seen> {
        self.seen.try_iter().last()
    }

    /// Waits for what is seen next.
    pub fn wait(&self, longest: Duration) -> Option<Seen> {
        self.seen.recv_timeout(longest).ok()
    }
}

/// Rings whenever something happens in the folder of the file. The folder is watched, as the file itself
/// is another one after a save by renaming.
fn watch_folder(path: &Path, ring: Sender<()>) -> notify::Result<RecommendedWatcher> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().map(std::ffi::OsStr::to_owned);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let concerns = |event: &notify::Event| {
            event.paths.is_empty() || event.paths.iter().any(|path| path.file_name() == name.as_deref())
        };
        // A watch that fails has lost events: the file is looked at.
        if event.as_ref().map_or(true, |event| concerns(event) && !event.kind.is_access()) {
            // When nobody listens any more, nothing has to be told.
            let _ = ring.send(());
        }
    })?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

fn hash(content: &[u8]) -> [u8; 32] {
    Sha256::digest(content).into()
}

/// Reads the file when it has come to rest, and tells what is new.
struct Follower {
    path: PathBuf,
    known: [u8; 32],
    gone: bool,
    tell: Sender<Seen>,
}

impl Follower {
    /// Until nobody rings or nobody listens any more.
    fn follow(mut self, bell: &Receiver<()>, interval: Option<Duration>) {
        loop {
            let rung = match interval {
                Some(interval) => bell.recv_timeout(interval),
                None => bell.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            if matches!(rung, Err(RecvTimeoutError::Disconnected)) || !self.look(bell) {
                return;
            }
        }
    }

    /// Waits for rest, then reads. False when nobody listens any more.
    fn look(&mut self, bell: &Receiver<()>) -> bool {
        rest(bell, QUIET);
        let mut read = std::fs::read(&self.path);
        if read.as_ref().map_or(true, Vec::is_empty) {
            // Between cutting and writing, or between removing and renaming.
            rest(bell, EMPTY_QUIET);
            read = std::fs::read(&self.path);
        }
        match read {
            Ok(content) => {
                let found = hash(&content);
                let is_new = found != self.known || self.gone;
                (self.known, self.gone) = (found, false);
                !is_new || self.tell.send(Seen::Saved(content)).is_ok()
            }
            Err(_) if self.gone => true,
            Err(error) => {
                self.gone = true;
                self.tell.send(Seen::Gone(error.to_string())).is_ok()
            }
        }
    }
}

/// Waits until the bell has not rung for so long.
fn rest(bell: &Receiver<()>, quiet: Duration) {
    let begun = Instant::now();
    while bell.recv_timeout(quiet).is_ok() && begun.elapsed() < LONGEST.max(quiet) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const LONG: Duration = Duration::from_secs(10);
    const SHORT: Duration = Duration::from_millis(700);

    fn each_way(check: impl Fn(&Path, &FileWatch)) {
        for how in [How::Events, How::Poll(Duration::from_millis(20))] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("spec.yaml");
            fs::write(&path, "one").unwrap();
            let watch = FileWatch::start(&path, b"one", how);
            assert_eq!(watch.fell_back, None);
            check(&path, &watch);
        }
    }

    fn saved(text: &str) -> Seen {
        Seen::Saved(text.as_bytes().to_vec())
    }

    #[test]
    fn a_save_by_writing_is_seen() {
        each_way(|path, watch| {
            fs::write(path, "two").unwrap();
            assert_eq!(watch.wait(LONG), Some(saved("two")));
        });
    }

    #[test]
    fn a_save_by_renaming_is_seen_and_the_next_too() {
        each_way(|path, watch| {
            for text in ["two", "three"] {
                let beside = path.with_extension("tmp");
                fs::write(&beside, text).unwrap();
                fs::rename(&beside, path).unwrap();
                assert_eq!(watch.wait(LONG), Some(saved(text)));
            }
        });
    }

    #[test]
    fn a_save_that_cuts_the_file_first_is_seen_whole() {
        each_way(|path, watch| {
            fs::write(path, "").unwrap();
            thread::sleep(Duration::from_millis(100));
            fs::write(path, "two").unwrap();
            assert_eq!(watch.wait(LONG), Some(saved("two")));
        });
    }

    #[test]
    fn a_save_in_pieces_is_seen_once() {
        use std::io::Write;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spec.yaml");
        fs::write(&path, "one").unwrap();
        let watch = FileWatch::start(&path, b"one", How::Events);
        let mut file = fs::File::create(&path).unwrap();
        for piece in ["t", "w", "o"] {
            file.write_all(piece.as_bytes()).unwrap();
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(watch.wait(LONG), Some(saved("two")));
        assert_eq!(watch.wait(SHORT), None);
    }

    #[test]
    fn what_says_the_same_is_no_save() {
        each_way(|path, watch| {
            fs::write(path, "one").unwrap();
            fs::write(path.with_extension("other"), "two").unwrap();
            assert_eq!(watch.wait(SHORT), None);
        });
    }

    #[test]
    fn a_file_that_goes_and_comes_back_is_told() {
        each_way(|path, watch| {
            fs::remove_file(path).unwrap();
            assert!(matches!(watch.wait(LONG), Some(Seen::Gone(_))));
            fs::write(path, "one").unwrap();
            assert_eq!(watch.wait(LONG), Some(saved("one")));
        });
    }

    #[test]
    fn only_the_latest_of_several_saves_counts() {
        each_way(|path, watch| {
            fs::write(path, "two").unwrap();
            thread::sleep(SHORT);
            fs::write(path, "three").unwrap();
            thread::sleep(SHORT);
            assert_eq!(watch.latest(), Some(saved("three")));
            assert_eq!(watch.latest(), None);
        });
    }
}
