use super::*;
use crate::augment::Pixels;
use crate::data::BadImage;
use crate::data::sample::Pointer;
use tempfile::TempDir;

/// Images told apart by their number.
struct Numbers(u8);

impl ImageSource for Numbers {
    fn read(&self, sample: &Sample) -> Result<Pixels, BadImage> {
        let Pointer::Number(number) = sample.pointer else { unreachable!() };
        Ok(Pixels { height: 1, width: 1, channels: 1, bytes: vec![number as u8 + self.0] })
    }

    fn size(&self, _: &Sample) -> Option<[usize; 3]> {
        Some([1, 1, 1])
    }
}

const RECIPE: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const ROOM: (u64, u64) = (1000, 1 << 20);

fn digests(shift: u8, draws: &str) -> Digests {
    let sample = |number: usize| Sample {
        name: number.to_string(),
        pointer: Pointer::Number(number),
        label: 0,
        group: None,
        split: None,
    };
    Digests::new(Arc::new(Numbers(shift)), (0..9).map(sample).collect(), draws.to_owned())
}

fn open(folder: &TempDir, digests: Digests) -> Disk {
    Disk::open(folder.path(), RECIPE, (2, Precision::F32), digests, ROOM).unwrap()
}

fn row(sample: usize, draw: Option<usize>) -> Row {
    Row { sample, draw }
}

fn read(disk: &mut Disk, row: Row) -> Option<Vec<f32>> {
    let mut values = Vec::new();
    disk.look_for(&[row]);
    disk.read(row, &mut values).unwrap().then_some(values)
}

fn path(folder: &TempDir) -> PathBuf {
    folder.path().join(format!("{RECIPE}.rows"))
}

#[test]
fn rows_are_found_by_another_run_and_by_the_content_of_images() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = open(&folder, digests(0, "a"));
    disk.write(row(3, None), &[1.0, 2.0]).unwrap();
    disk.write(row(3, Some(1)), &[3.0, 4.0]).unwrap();
    assert!(disk.has(row(3, Some(1))) && !disk.has(row(3, Some(0))));
    drop(disk);
    let mut again = open(&folder, digests(0, "a"));
    assert_eq!(read(&mut again, row(3, None)), Some(vec![1.0, 2.0]));
    assert_eq!(read(&mut again, row(3, Some(1))), Some(vec![3.0, 4.0]));
    assert_eq!(read(&mut again, row(4, None)), None);
    drop(again);
    // The image that was number 3 is number 2 now.
    let mut shifted = open(&folder, digests(1, "a"));
    assert_eq!(read(&mut shifted, row(2, None)), Some(vec![1.0, 2.0]));
    assert_eq!(read(&mut shifted, row(3, None)), None);
    drop(shifted);
    // Another augmentation: other draws, the same image.
    let mut other = open(&folder, digests(0, "b"));
    assert_eq!(read(&mut other, row(3, None)), Some(vec![1.0, 2.0]));
    assert_eq!(read(&mut other, row(3, Some(1))), None);
}

#[test]
fn wherever_a_file_is_cut_whole_rows_stay() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = open(&folder, digests(0, ""));
    for sample in 0..3 {
        disk.write(row(sample, None), &[sample as f32, 0.5]).unwrap();
    }
    drop(disk);
    let whole = fs::read(path(&folder)).unwrap();
    for len in 0..=whole.len() {
        fs::write(path(&folder), &whole[..len]).unwrap();
        let mut disk = open(&folder, digests(0, ""));
        let rows = len.saturating_sub(HEADER) / disk.row_len();
        for sample in 0..3 {
            let expected = (len >= HEADER && sample < rows).then(|| vec![sample as f32, 0.5]);
            assert_eq!(read(&mut disk, row(sample, None)), expected, "cut at {len}");
        }
        disk.write(row(5, None), &[7.0, 8.0]).unwrap();
        assert_eq!(read(&mut disk, row(5, None)), Some(vec![7.0, 8.0]));
    }
}

#[test]
fn whichever_bit_is_flipped_no_wrong_value_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = open(&folder, digests(0, ""));
    disk.write(row(0, None), &[1.0, 2.0]).unwrap();
    disk.write(row(1, None), &[3.0, 4.0]).unwrap();
    drop(disk);
    let whole = fs::read(path(&folder)).unwrap();
    for bit in 0..8 * whole.len() {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(path(&folder), bytes).unwrap();
        let mut disk = open(&folder, digests(0, ""));
        let found = [0, 1].map(|sample| read(&mut disk, row(sample, None)));
        let lost = found.iter().filter(|row| row.is_none()).count();
        let begin = bit / 8;
        assert_eq!(lost, if begin < HEADER { 2 } else { 1 }, "bit {bit}");
        for (found, values) in found.into_iter().zip([[1.0, 2.0], [3.0, 4.0]]) {
            assert!(found.is_none_or(|row| row == values), "bit {bit}");
        }
    }
}

#[test]
fn a_file_that_another_run_has_open_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = open(&folder, digests(0, ""));
    first.write(row(0, None), &[1.0, 2.0]).unwrap();
    let mut second = open(&folder, digests(0, ""));
    assert_eq!(read(&mut second, row(0, None)), None);
    second.write(row(0, None), &[1.0, 2.0]).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    drop(second);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(read(&mut first, row(0, None)), Some(vec![1.0, 2.0]));
}

#[test]
fn what_was_not_used_for_longest_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    for (age, name) in [(3, "old"), (2, "newer"), (1, "newest")] {
        let file = File::create(folder.path().join(format!("{name}.rows"))).unwrap();
        file.set_len(1000).unwrap();
        file.set_modified(SystemTime::now() - std::time::Duration::from_secs(1000 * age)).unwrap();
    }
    fs::write(folder.path().join("other.txt"), "stays").unwrap();
    let shape = (2, Precision::F16);
    drop(Disk::open(folder.path(), RECIPE, shape, digests(0, ""), (500, 2600)).unwrap());
    let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, [format!("{RECIPE}.rows").as_str(), "newer.rows", "newest.rows", "other.txt"]);
}
