//! Where a tensor's values lie in a weight file, and how they are read from there.

use super::Dtype;
use super::error::{Fault, invalid};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use zip::ZipArchive;

/// Torch's own limit is 64; no weight has more than 5.
const MAX_DIMS: usize = 8;

/// Deflate's best case is 1032 : 1; an archive that claims more is lying.
const MAX_RATIO: u64 = 1100;

/// A run of bytes in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bytes {
    /// As they are.
    Plain {
        /// The first byte's place in the file.
        start: u64,
        /// How many there are.
        len: u64,
    },
    /// A file within a zip archive, stored or compressed.
    Zipped {
        /// Its place in the archive's table.
        index: usize,
        /// Its length when unpacked, as the table has it.
        len: u64,
    },
}

impl Bytes {
    /// Bytes as they are, once it is checked that a file of `file_len` bytes has them.
    pub fn plain(start: u64, len: u64, file_len: u64) -> Result<Bytes, Fault> {
        match start.checked_add(len) {
            Some(end) if end <= file_len => Ok(Bytes::Plain { start, len }),
            _ => invalid(format!(
                "the file is cut short: {len} bytes should follow at byte {start}, but the file has {file_len} bytes"
            )),
        }
    }

    /// A file within an archive, once it is checked that it can be as long as it claims.
    pub fn zipped(index: usize, len: u64, packed: u64) -> Result<Bytes, Fault> {
        if len / MAX_RATIO > packed {
            return invalid(format!("an entry of the archive claims {len} bytes out of {packed} compressed ones"));
        }
        Ok(Bytes::Zipped { index, len })
    }

    pub fn len(self) -> u64 {
        let (Bytes::Plain { len, .. } | Bytes::Zipped { len, .. }) = self;
        len
    }

    /// Reads `len` bytes from the byte `from` of the run. Memory grows with what is really there.
    pub fn read(self, source: &mut Source, from: u64, len: u64) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        match self {
            Bytes::Plain { start, .. } => {
                source.file.seek(SeekFrom::Start(start + from))?;
                bytes.reserve_exact(len as usize);
                (&source.file).take(len).read_to_end(&mut bytes)?;
            }
            Bytes::Zipped { index, len: whole } => {
                let Some(archive) = source.archive.as_mut() else { return invalid("the file is no archive") };
                let mut entry = archive.by_index(index)?;
                io::copy(&mut (&mut entry).take(from), &mut io::sink())?;
                (&mut entry).take(len).read_to_end(&mut bytes)?;
                if from + len == whole {
                    // Only the read that finds the end compares the entry's checksum.
                    io::copy(&mut entry.take(1), &mut io::sink())?;
                }
            }
        }
        if bytes.len() as u64 == len { Ok(bytes) } else { Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()) }
    }
}

/// An open weight file.
#[derive(Debug)]
pub(super) struct Source {
    pub file: File,
    pub archive: Option<ZipArchive<File>>,
}

/// A tensor: a view into a run of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    bytes: Bytes,
    dtype: Dtype,
    /// Values of the run before the tensor's first.
    offset: usize,
    dims: Vec<usize>,
    /// Values from one entry to the next along each dimension; `None` for C order.
    strides: Option<Vec<usize>>,
}

impl Place {
    /// All of a run, in C order. Length and shape are to agree already.
    pub fn whole(bytes: Bytes, dtype: Dtype, dims: Vec<usize>) -> Self {
        Place { bytes, dtype, offset: 0, dims, strides: None }
    }

    /// A view into a run, once it is checked that it stays within it.
    pub fn view(
        bytes: Bytes,
        dtype: Dtype,
        offset: usize,
        dims: Vec<usize>,
        strides: Vec<usize>,
    ) -> Result<Place, Fault> {
        let available = bytes.len() as usize / (dtype.bits() / 8).max(1);
        if dims.len() != strides.len() || dims.len() > MAX_DIMS {
            return invalid(format!("shape {dims:?} with strides {strides:?}"));
        }
        let count = dims.iter().try_fold(1_usize, |count, &dim| count.checked_mul(dim));
        // A view that repeats values (stride 0) could claim more than memory holds.
        let Some(count) = count.filter(|&count| count <= available) else {
            return invalid(format!("shape {dims:?} claims more values than the {available} that are stored"));
        };
        let end =
            if count == 0 { Some(offset) } else { span(&dims, &strides).and_then(|span| offset.checked_add(span)) };
        if end.is_none_or(|end| end > available) {
            return invalid(format!(
                "shape {dims:?} with strides {strides:?} from value {offset} reaches beyond the {available} that are stored"
            ));
        }
        let strides = (!is_c_order(&dims, &strides)).then_some(strides);
        Ok(Place { bytes, dtype, offset, dims, strides })
    }

    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The values, in C order.
    pub fn read(&self, source: &mut Source) -> Result<Vec<f32>, Fault> {
        if !self.dtype.is_float() {
            return invalid(format!("values of type {} are no weights", self.dtype));
        }
        let count: usize = self.dims.iter().product();
        let span = match &self.strides {
            None => count,
            Some(_) if count == 0 => 0,
            Some(strides) => span(&self.dims, strides).unwrap_or(0),
        };
        let size = self.dtype.bits() / 8;
        let bytes = self.bytes.read(source, (self.offset * size) as u64, (span * size) as u64)?;
        let values = self.dtype.decode(&bytes).unwrap_or_default();
        Ok(match &self.strides {
            None => values,
            Some(strides) => gather(&values, &self.dims, strides),
        })
    }
}

/// How many values lie between the first and the last of a view, both included.
fn span(dims: &[usize], strides: &[usize]) -> Option<usize> {
    dims.iter()
        .zip(strides)
        .try_fold(1_usize, |span, (&dim, &stride)| span.checked_add(dim.checked_sub(1)?.checked_mul(stride)?))
}

fn is_c_order(dims: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1;
    dims.iter().zip(strides).rev().all(|(&dim, &stride)| {
        let fits = dim == 1 || stride == expected;
        expected *= dim.max(1);
        fits
    })
}

/// The values of a view, put into C order.
fn gather(values: &[f32], dims: &[usize], strides: &[usize]) -> Vec<f32> {
    let count = dims.iter().product();
    let mut at = vec![0; dims.len()];
    let mut gathered = Vec::with_capacity(count);
    for _ in 0..count {
        let index: usize = at.iter().zip(strides).map(|(i, stride)| i * stride).sum();
        gathered.extend(values.get(index));
        for (i, &dim) in at.iter_mut().zip(dims).rev() {
            *i += 1;
            if *i < dim {
                break;
            }
            *i = 0;
        }
    }
    gathered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(available: u64, offset: usize, dims: &[usize], strides: &[usize]) -> Result<Place, Fault> {
        let bytes = Bytes::Plain { start: 0, len: 4 * available };
        Place::view(bytes, Dtype::F32, offset, dims.to_vec(), strides.to_vec())
    }

    #[test]
    fn views_stay_within_what_is_stored() {
        assert!(view(6, 0, &[2, 3], &[3, 1]).unwrap().strides.is_none());
        assert!(view(6, 0, &[3, 2], &[1, 3]).unwrap().strides.is_some());
        assert!(view(6, 1, &[5], &[1]).is_ok());
        assert!(view(6, 6, &[0, 3], &[3, 1]).is_ok());
        assert!(view(1, 0, &[], &[]).is_ok());
        for (offset, dims, strides) in [
            (1, &[6][..], &[1][..]),
            (0, &[2, 3], &[4, 1]),
            (0, &[1 << 40, 1 << 40], &[0, 0]),
            (0, &[7], &[0]),
            (usize::MAX, &[1], &[1]),
            (0, &[2], &[usize::MAX]),
            (0, &[2], &[1, 1]),
            (7, &[0], &[1]),
        ] {
            assert!(view(6, offset, dims, strides).is_err(), "{offset} {dims:?} {strides:?}");
        }
    }

    #[test]
    fn a_transposed_view_is_put_into_c_order() {
        assert_eq!(gather(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], &[3, 2], &[1, 3]), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    }
}
