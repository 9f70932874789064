use crate::Error;
use runner_plugin_abi as abi;
use std::fmt;
use std::mem::MaybeUninit;

/// The shape of one sample, without the batch: (H, W, C) for images, (F) for features. Or that of a
/// parameter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    rank: usize,
    dims: [usize; abi::MAX_RANK],
}

impl Shape {
    /// A shape of these dimensions: at most 8.
    pub fn new(dims: &[usize]) -> Result<Self, Error> {
        let mut shape = Shape { rank: dims.len(), dims: [0; abi::MAX_RANK] };
        let room = shape.dims.get_mut(..dims.len());
        room.ok_or_else(|| format!("{} dimensions are too many", dims.len()))?.copy_from_slice(dims);
        Ok(shape)
    }

    /// The dimensions.
    pub fn dims(&self) -> &[usize] {
        &self.dims[..self.rank]
    }

    /// The number of values.
    pub fn count(&self) -> usize {
        self.dims().iter().fold(1, |count, dim| count.saturating_mul(*dim))
    }

    /// Height, width and channels; an error if these are no images.
    pub fn image(&self) -> Result<(usize, usize, usize), Error> {
        match *self.dims() {
            [h, w, c] => Ok((h, w, c)),
            _ => Err(format!("the input must be images (H, W, C), not {self}").into()),
        }
    }

    /// The number of features; an error if these are no features.
    pub fn features(&self) -> Result<usize, Error> {
        match *self.dims() {
            [features] => Ok(features),
            _ => Err(format!("the input must be features (F), not {self}").into()),
        }
    }

    pub(crate) fn to_abi(self) -> Result<abi::Shape, Error> {
        let mut shape = abi::Shape { size: size_of::<abi::Shape>(), rank: self.rank, dims: [0; abi::MAX_RANK] };
        for (to, from) in shape.dims.iter_mut().zip(self.dims()) {
            *to = i64::try_from(*from).map_err(|_| format!("the shape {self} is too large"))?;
        }
        Ok(shape)
    }

    /// # Safety
    /// `shape` is null or points to a shape, whole as far as its `size` says.
    pub(crate) unsafe fn from_abi(shape: *const abi::Shape) -> Result<Self, Error> {
        // SAFETY: as the caller promises.
        let shape = unsafe { whole(shape, "shape") }?;
        let dims = shape.dims().ok_or_else(|| format!("a shape has {} dimensions", shape.rank))?;
        let dims: Result<Vec<usize>, Error> = dims.iter().map(|dim| size(*dim)).collect();
        Shape::new(&dims.map_err(|error| format!("a shape {error}"))?)
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(dims: [usize; N]) -> Self {
        const { assert!(N <= abi::MAX_RANK, "too many dimensions") };
        let mut shape = Shape { rank: N, dims: [0; abi::MAX_RANK] };
        shape.dims[..N].copy_from_slice(&dims);
        shape
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims: Vec<String> = self.dims().iter().map(usize::to_string).collect();
        write!(f, "({})", dims.join(", "))
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Values that are only read: those of an input over the batch, or of a parameter.
#[derive(Debug, Clone, Copy)]
pub struct Tensor<'a> {
    pub(crate) shape: Shape,
    pub(crate) values: Option<&'a [f32]>,
}

impl<'a> Tensor<'a> {
    /// The shape: of one sample, or of the parameter.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// All values: sample after sample.
    ///
    /// # Panics
    /// In backward, if the layer says that it does not read them.
    pub fn values(&self) -> &'a [f32] {
        self.values.unwrap_or_else(|| panic!("these values are not kept: see FORGETS_INPUTS and FORGETS_OUTPUT"))
    }

    /// The values of sample `row`.
    ///
    /// # Panics
    /// As [`Tensor::values`], and if there is no such sample.
    pub fn row(&self, row: usize) -> &'a [f32] {
        let count = self.shape.count();
        &self.values()[row * count..(row + 1) * count]
    }
}

/// A number of which all bits mean something: what scratch may hold.
pub trait Plain: Copy + private::Plain {}

mod private {
    pub trait Plain {}
}

macro_rules! plain {
    ($($number:ty),*) => {
        $(impl private::Plain for $number {}
        impl Plain for $number {})*
    };
}

plain!(u8, i8, u16, i16, u32, i32, u64, i64, f32, f64);

/// Memory that forward writes for backward; zeroed at first.
#[derive(Debug)]
pub struct Scratch<'a> {
    pub(crate) bytes: &'a mut [u8],
}

impl Scratch<'_> {
    /// The whole of it, as numbers of this type.
    pub fn numbers<T: Plain>(&mut self) -> &mut [T] {
        // SAFETY: any bits are a `Plain`. The memory is aligned to 8 bytes, so nothing is cut off
        // before the first number.
        unsafe { self.bytes.align_to_mut().1 }
    }
}

/// A tensor of the header, looked at.
pub(crate) struct Raw {
    rank: usize,
    dims: [usize; abi::MAX_RANK + 1],
    count: usize,
    values: *mut f32,
}

impl Raw {
    /// Looks at a tensor; an error if version 1 of the interface has no such tensors.
    ///
    /// # Safety
    /// `tensor` is null or points to a tensor, with `ndim` sizes in `shape` and, if there are any,
    /// in `strides`.
    pub(crate) unsafe fn read(tensor: *const abi::DlTensor) -> Result<Self, Error> {
        if tensor.is_null() || !tensor.is_aligned() {
            return Err("is no tensor".into());
        }
        // SAFETY: neither null nor misaligned; else as the caller promises.
        let tensor = unsafe { &*tensor };
        if tensor.device.device_type != abi::DL_CPU {
            return Err("is not in memory of the CPU".into());
        }
        if tensor.dtype != (abi::DlDataType { code: abi::DL_FLOAT, bits: 32, lanes: 1 }) {
            return Err("is not of float32".into());
        }
        let rank = usize::try_from(tensor.ndim).ok().filter(|rank| *rank <= abi::MAX_RANK + 1);
        let rank = rank.ok_or_else(|| format!("has {} dimensions", tensor.ndim))?;
        let mut raw = Raw { rank, dims: [0; abi::MAX_RANK + 1], count: 1, values: std::ptr::null_mut() };
        // SAFETY: as the caller promises.
        let sizes = unsafe { slice(tensor.shape, rank) }.ok_or("has no shape")?;
        for (to, from) in raw.dims.iter_mut().zip(sizes) {
            *to = size(*from)?;
            raw.count =
                raw.count.checked_mul(*to).filter(|count| *count <= isize::MAX as usize / 4).ok_or("is too large")?;
        }
        if !tensor.strides.is_null() {
            // SAFETY: as the caller promises.
            let strides = unsafe { slice(tensor.strides, rank) }.ok_or("has strides that are misaligned")?;
            raw.contiguous(strides)?;
        }
        raw.values = address(tensor)?;
        Ok(raw)
    }

    fn contiguous(&self, strides: &[i64]) -> Result<(), Error> {
        let mut expected = 1_i64;
        for (dim, stride) in self.dims.iter().zip(strides).rev() {
            if *dim > 1 && *stride != expected {
                return Err("is not contiguous".into());
            }
            expected = expected.saturating_mul(*dim as i64);
        }
        Ok(())
    }

    /// The shape of one sample, if the first dimension is the batch.
    pub(crate) fn sample(&self, batch: usize) -> Result<Shape, Error> {
        match self.dims.get(..self.rank) {
            Some([first, rest @ ..]) if *first == batch => Shape::new(rest),
            _ => Err(format!("does not have the {batch} rows of the batch").into()),
        }
    }

    /// The shape, whole.
    pub(crate) fn shape(&self) -> Result<Shape, Error> {
        Shape::new(self.dims.get(..self.rank).unwrap_or_default())
    }

    /// The values; none if they are not kept.
    ///
    /// # Safety
    /// Unless null, the data has as many values as the shape says, which nobody changes during `'a`.
    pub(crate) unsafe fn values<'a>(&self) -> Option<&'a [f32]> {
        // SAFETY: as the caller promises.
        unsafe { slice(self.values, self.count) }
    }

    /// The values, to be changed; none if there is no memory for them.
    ///
    /// # Safety
    /// Unless null, the data has as many values as the shape says, which nobody else touches during
    /// `'a`.
    pub(crate) unsafe fn values_mut<'a>(&self) -> Option<&'a mut [f32]> {
        match self.count {
            0 => Some(&mut []),
            _ if self.values.is_null() => None,
            // SAFETY: as the caller promises; alignment was looked at by `address`.
            count => Some(unsafe { std::slice::from_raw_parts_mut(self.values, count) }),
        }
    }
}

/// Where a tensor's values begin; null if they are not kept.
fn address(tensor: &abi::DlTensor) -> Result<*mut f32, Error> {
    if tensor.data.is_null() {
        return Ok(std::ptr::null_mut());
    }
    let offset = usize::try_from(tensor.byte_offset).map_err(|_| "has values beyond the memory")?;
    let values = tensor.data.wrapping_byte_add(offset).cast::<f32>();
    if values.is_null() || !values.is_aligned() {
        return Err("has values that are misaligned".into());
    }
    Ok(values)
}

/// A slice of what the host points to; none if that is null or misaligned, while there should be
/// something.
///
/// # Safety
/// Unless null, `pointer` has `count` values, which nobody changes during `'a`.
pub(crate) unsafe fn slice<'a, T>(pointer: *const T, count: usize) -> Option<&'a [T]> {
    match count {
        0 => Some(&[]),
        _ if pointer.is_null() || !pointer.is_aligned() => None,
        // SAFETY: neither null nor misaligned; else as the caller promises.
        _ => Some(unsafe { std::slice::from_raw_parts(pointer, count) }),
    }
}

/// A struct of the host, if it is as large as this version knows it.
///
/// # Safety
/// Unless null, `pointer` points to a struct that begins with its size, whole as far as that says,
/// which nobody changes during `'a`.
pub(crate) unsafe fn whole<'a, T>(pointer: *const T, what: &str) -> Result<&'a T, Error> {
    if pointer.is_null() || !pointer.is_aligned() {
        return Err(format!("the runner gave no {what}").into());
    }
    // SAFETY: neither null nor misaligned, and every struct of the header begins with its size.
    let size = unsafe { *pointer.cast::<usize>() };
    if size < size_of::<T>() {
        return Err(format!("the runner's {what} has {size} bytes, fewer than {}", size_of::<T>()).into());
    }
    // SAFETY: it is as large as `T` is; else as the caller promises.
    Ok(unsafe { &*pointer })
}

/// A struct of the host, if it has the first `least` bytes of those that this version knows. What an earlier runner does
/// not know of is zero.
///
/// # Safety
/// As for [`whole`]; and zeros are a `T`.
pub(crate) unsafe fn begun<T: Copy>(pointer: *const T, what: &str, least: usize) -> Result<T, Error> {
    // SAFETY: every struct of the header begins with its size; else as the caller promises.
    let size = *unsafe { whole(pointer.cast::<usize>(), what) }?;
    if size < least {
        return Err(format!("the runner's {what} has {size} bytes, fewer than {least}").into());
    }
    let mut begun = MaybeUninit::<T>::zeroed();
    // SAFETY: both have so many bytes.
    unsafe { pointer.cast::<u8>().copy_to_nonoverlapping(begun.as_mut_ptr().cast(), size.min(size_of::<T>())) };
    // SAFETY: zeros are a `T`, and what was copied is the beginning of one.
    Ok(unsafe { begun.assume_init() })
}

/// A size that the host gave.
pub(crate) fn size(value: i64) -> Result<usize, Error> {
    usize::try_from(value).map_err(|_| format!("has a dimension of {value}").into())
}
