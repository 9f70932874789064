//! Tensors of the engine as `DLPack` describes them: no values are copied.

use crate::engine::{GpuTensor, View, ViewMut};
use runner_plugin_abi as abi;
use std::ffi::c_void;

/// Descriptions of tensors, and pointers to them. They are good while the tensors are.
pub struct Tensors {
    pointers: Vec<*mut abi::DlTensor>,
    _described: Vec<abi::DlTensor>,
    _dims: Vec<Vec<i64>>,
}

impl Tensors {
    /// Tensors to be read.
    pub fn of(views: &[View<'_>]) -> Self {
        let values = |view: &View<'_>| view.values.map_or(std::ptr::null_mut(), |values| values.as_ptr().cast_mut());
        Tensors::new(HOST, views.iter().map(|view| Some((view.dims, values(view)))))
    }

    /// Tensors to be written; those that are not wanted are null.
    pub fn of_wanted(views: &mut [Option<ViewMut<'_>>]) -> Self {
        Tensors::new(HOST, views.iter_mut().map(|view| view.as_mut().map(|view| (view.dims, view.values.as_mut_ptr()))))
    }

    /// One tensor to be written.
    pub fn of_one(view: &mut ViewMut<'_>) -> Self {
        Tensors::new(HOST, std::iter::once(Some((view.dims, view.values.as_mut_ptr()))))
    }

    /// Tensors on a GPU.
    pub fn on(gpu: usize, tensors: &[GpuTensor<'_>]) -> Self {
        Tensors::new(on_gpu(gpu), tensors.iter().map(|tensor| Some((tensor.dims, tensor.values))))
    }

    /// Tensors on a GPU, to be written; those that are not wanted are null.
    pub fn wanted_on(gpu: usize, tensors: &[Option<GpuTensor<'_>>]) -> Self {
        Tensors::new(on_gpu(gpu), tensors.iter().map(|tensor| tensor.map(|tensor| (tensor.dims, tensor.values))))
    }

    fn new<'a>(device: abi::DlDevice, given: impl Iterator<Item = Option<(&'a [usize], *mut f32)>>) -> Self {
        let given: Vec<Option<(&[usize], *mut f32)>> = given.collect();
        let dims_of = |dims: &[usize]| dims.iter().map(|&dim| dim as i64).collect();
        let mut dims: Vec<Vec<i64>> =
            given.iter().map(|given| given.map_or_else(Vec::new, |(dims, _)| dims_of(dims))).collect();
        let mut tensors: Vec<abi::DlTensor> = given
            .iter()
            .zip(&mut dims)
            .map(|(given, dims)| tensor(device, dims, given.map_or(std::ptr::null_mut(), |(_, data)| data)))
            .collect();
        let pointers = tensors
            .iter_mut()
            .zip(&given)
            .map(|(tensor, given)| if given.is_some() { std::ptr::from_mut(tensor) } else { std::ptr::null_mut() })
            .collect();
        Tensors { pointers, _described: tensors, _dims: dims }
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.pointers.len()
    }

    /// The array of pointers, for reading.
    pub fn read(&self) -> *const *const abi::DlTensor {
        self.pointers.as_ptr().cast()
    }

    /// The array of pointers, for writing.
    pub fn write(&self) -> *const *mut abi::DlTensor {
        self.pointers.as_ptr()
    }

    /// The first tensor.
    pub fn first(&self) -> *mut abi::DlTensor {
        self.pointers.first().copied().unwrap_or(std::ptr::null_mut())
    }
}

const HOST: abi::DlDevice = abi::DlDevice { device_type: abi::DL_CPU, device_id: 0 };

fn on_gpu(number: usize) -> abi::DlDevice {
    abi::DlDevice { device_type: abi::DL_CUDA, device_id: number as i32 }
}

fn tensor(device: abi::DlDevice, dims: &mut [i64], data: *mut f32) -> abi::DlTensor {
    abi::DlTensor {
        data: data.cast::<c_void>(),
        device,
        ndim: dims.len() as i32,
        dtype: abi::DlDataType { code: abi::DL_FLOAT, bits: 32, lanes: 1 },
        shape: dims.as_mut_ptr(),
        strides: std::ptr::null_mut(),
        byte_offset: 0,
    }
}
