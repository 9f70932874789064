//! Checkpoints that are damaged.

use super::run;
use crate::train::RunDir;
use crate::train::run::Checkpoint;
use std::fs;

#[test]
fn a_checkpoint_that_is_cut_anywhere_is_known_and_the_one_before_is_taken() {
    let ran = run(&["layers.0.conv2d.out=1200", "checkpoint.keep=3"]);
    let dir = RunDir::open(ran.dir.path().join("run"));
    let whole = fs::read(dir.last()).unwrap();
    let before = Checkpoint::latest(&dir).unwrap().unwrap();
    assert_eq!((before.name.as_str(), before.notes.len()), ("checkpoints/last.safetensors", 0));
    let cuts: Vec<usize> = (0..whole.len()).step_by(4096).chain([1, 7, 8, 9, whole.len() - 1]).collect();
    assert!(cuts.len() > 20, "{}", whole.len());
    for cut in cuts {
        fs::write(dir.last(), &whole[..cut]).unwrap();
        let taken = Checkpoint::latest(&dir).unwrap().unwrap();
        assert_eq!(taken.name, "checkpoints/last-1.safetensors", "cut at {cut}");
        assert_eq!(taken.notes.len(), 2, "cut at {cut}: {:?}", taken.notes);
    }
    // One bit anywhere is enough.
    for at in (0..whole.len()).step_by(8191) {
        let mut damaged = whole.clone();
        damaged[at] ^= 4;
        fs::write(dir.last(), damaged).unwrap();
        assert_eq!(Checkpoint::latest(&dir).unwrap().unwrap().name, "checkpoints/last-1.safetensors", "bit in {at}");
    }
    for count in 0..3 {
        fs::write(dir.before_last(count), "x").unwrap();
    }
    let error = Checkpoint::latest(&dir).err().unwrap().to_string();
    assert!(error.starts_with("no checkpoint of the run is whole") && error.contains("last-2"), "{error}");
    for count in 0..3 {
        fs::remove_file(dir.before_last(count)).unwrap();
    }
    assert!(Checkpoint::latest(&dir).unwrap().is_none());
}
