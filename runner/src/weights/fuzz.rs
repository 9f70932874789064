//! Damaged files of all formats: an error or other values, never a panic, never a huge allocation.

use super::testing::{Saved, legacy_file, on_disk, safetensors_file, state_dict, zip_file};
use super::{WeightFile, WeightsError};
use proptest::prelude::*;
use zip::CompressionMethod;

/// What the machine knows, and what it is harmed most by.
const INSTRUCTIONS: &[&[u8]] = &[
    b"(",
    b"0",
    b"1",
    b"2",
    b"N",
    b"\x88",
    b"K\x01",
    b"M\x01\x02",
    b"J\xff\xff\xff\xff",
    b"\x8a\x01\x80",
    b"X\x01\0\0\0a",
    b"X\xff\xff\xff\xff",
    b")",
    b"]",
    b"}",
    b"t",
    b"l",
    b"d",
    b"\x85",
    b"\x86",
    b"\x87",
    b"a",
    b"e",
    b"s",
    b"u",
    b"q\x01",
    b"h\x01",
    b"\x94",
    b"ccollections\nOrderedDict\n",
    b"R",
    b"b",
    b"Q",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ctorch\nFloatStorage\n",
    b"\x93",
    b".",
];

fn valid_files() -> Vec<Vec<u8>> {
    let tensors = [
        Saved::floats("conv.weight", &[2, 3, 1, 1], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
        Saved { parameter: true, ..Saved::floats("fc.bias", &[4], &[0.5; 4]) },
    ];
    let header = r#"{"__metadata__":{"a":"b"},"x":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"y":{"dtype":"BF16","shape":[],"data_offsets":[24,26]}}"#;
    let (plain, legacy) = (state_dict(&tensors, None, false), state_dict(&tensors, Some("model"), true));
    vec![
        safetensors_file(header, &[7; 26]),
        legacy_file(&legacy, &tensors),
        zip_file(&plain, &tensors, CompressionMethod::Stored),
        zip_file(&plain, &tensors, CompressionMethod::Deflated),
    ]
}

fn read_all(bytes: &[u8]) -> Result<usize, WeightsError> {
    let (_folder, path) = on_disk(bytes);
    let mut file = WeightFile::open(&path)?;
    let names: Vec<String> = file.tensors().map(|(name, ..)| name.to_owned()).collect();
    let mut values = 0;
    for name in names {
        values += file.read(&name).map_or(0, |values| values.len());
    }
    file.verify()?;
    Ok(values)
}

#[test]
fn the_files_are_valid_before_they_are_damaged() {
    for file in valid_files() {
        assert!(read_all(&file).unwrap() >= 7);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn damage_is_survived(
        format in 0..4_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut file = valid_files().swap_remove(format);
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()));
        }
        // Not more values than the file has room for, even where deflated.
        prop_assert!(read_all(&file).unwrap_or(0) < 1 << 20);
    }

    /// Programs of instructions that the machine knows, in any order.
    #[test]
    fn any_pickle_is_survived(
        instructions in prop::collection::vec(
            prop::sample::select(INSTRUCTIONS),
            0..60,
        ),
    ) {
        let tail = Saved::floats("x", &[1], &[0.0]);
        let pickle = [&[0x80, 2], instructions.concat().as_slice(), b"."].concat();
        let _ = read_all(&legacy_file(&pickle, std::slice::from_ref(&tail)));
        let _ = read_all(&zip_file(&pickle, &[tail], CompressionMethod::Stored));
    }
}

#[test]
fn a_pickle_that_nests_a_million_times_is_survived() {
    let deep = [&[0x80, 2, b')'][..], &vec![0x85; 1_000_000], b"."].concat();
    assert!(read_all(&legacy_file(&deep, &[])).is_err());
    let endless = [&[0x80, 2][..], &vec![b'N'; 3_000_000]].concat();
    let error = read_all(&legacy_file(&endless, &[])).unwrap_err().to_string();
    assert!(error.ends_with("the pickle has more than 2000000 instructions"), "{error}");
    let cycle = b"\x80\x02}q\x01X\x05\0\0\0modelh\x01s.";
    assert!(read_all(&legacy_file(cycle, &[])).unwrap_err().to_string().contains("no state dict"));
}
