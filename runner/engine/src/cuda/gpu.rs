//! The GPU of the process: its driver's device, its kernels, and memory on it.

use super::super::{Cuda, EngineError, Result};
use super::ahead::Copies;
use super::staging::Staging;
use cudarc::cublas::CudaBlas;
use cudarc::driver::{CudaDevice, CudaSlice, DevicePtr, DriverError, result, sys};
use dfdx::prelude::{CudaError, Storage};
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_void};
use std::fmt::{self, Write};
use std::sync::{Arc, OnceLock};

/// What a step of a kernel gives: dfdx's error, as its tape carries that.
pub type Run<T> = std::result::Result<T, CudaError>;

/// The machine code of the kernels: see build.rs.
static KERNELS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kernels.fatbin"));

/// Values on the GPU.
pub type Values = CudaSlice<f32>;

/// One GPU. All work is done on the one stream that dfdx uses, in the order in which it is asked for; but for values that
/// are sent ahead (see `ahead`).
pub struct Gpu {
    pub(super) device: Arc<CudaDevice>,
    pub(super) blas: CudaBlas,
    functions: HashMap<&'static str, Function>,
    pool: Option<Pool>,
    pub(super) staging: Staging,
    pub(super) copies: Copies,
    /// Bytes of memory that a block of a convolution may share.
    pub(super) shared: usize,
    name: String,
}

#[derive(Clone, Copy)]
struct Function(sys::CUfunction);

// SAFETY: a handle that the driver may be given on any thread.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}

/// The driver's pool of memory. What is freed stays there for the next allocation.
#[derive(Clone, Copy)]
struct Pool(sys::CUmemoryPool);

// SAFETY: a handle that the driver may be given on any thread.
unsafe impl Send for Pool {}
// SAFETY: as above.
unsafe impl Sync for Pool {}

/// The GPU that the process has opened. dfdx does not say which one a tensor's device is, and a process uses one.
static OPENED: OnceLock<Gpu> = OnceLock::new();

/// The GPU.
pub fn gpu() -> Run<&'static Gpu> {
    OPENED.get().ok_or(CudaError::Driver(DriverError(sys::CUresult::CUDA_ERROR_NOT_INITIALIZED)))
}

/// Opens the GPU of this number.
pub fn open(number: usize) -> Result<Cuda> {
    let refuse = |why: String| EngineError::NoDevice(format!("GPU {number} cannot be used: {why}"));
    // What follows would panic without a driver or for a number that there is not.
    result::init().map_err(|error| refuse(error.to_string()))?;
    let count = result::device::get_count().map_err(|error| refuse(error.to_string()))?;
    if usize::try_from(count).is_ok_and(|count| number >= count) {
        return Err(refuse(format!("there {}", if count == 1 { "is one".into() } else { format!("are {count}") })));
    }
    let dfdx = Cuda::try_build(number, 0).map_err(|error| refuse(error.to_string()))?;
    if OPENED.get().is_none() {
        let gpu = Gpu::new(&dfdx).map_err(|error| refuse(error.to_string()))?;
        gpu.check(&dfdx).map_err(|error| refuse(error.to_string()))?;
        let _ = OPENED.set(gpu);
    }
    match OPENED.get() {
        Some(gpu) if gpu.device.ordinal() == number => Ok(dfdx),
        _ => Err(refuse("this process uses another one already".into())),
    }
}

impl Gpu {
    fn new(dfdx: &Cuda) -> Run<Self> {
        // The way to the driver's device that is public.
        let device = Storage::<f32>::try_alloc_len(dfdx, 1)?.device();
        let blas = CudaBlas::new(device.clone())?;
        // SAFETY: the image is a whole one of nvcc's, and lives as long as the process.
        let module = unsafe { result::module::load_data(KERNELS.as_ptr().cast()) }?;
        let attribute = sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN;
        let shared = device.attribute(attribute)?.min(MOST_SHARED);
        let mut functions = HashMap::new();
        for &name in super::names::ALL {
            let c_name = CString::new(name).unwrap_or_default();
            // SAFETY: the module has been loaded and is never unloaded.
            let function = unsafe { result::module::get_function(module, c_name) }?;
            if name.starts_with("conv_") {
                let attribute = sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
                // SAFETY: as above. The driver keeps the number for later launches.
                unsafe { sys::cuFuncSetAttribute(function, attribute, shared) }.result()?;
            }
            functions.insert(name, Function(function));
        }
        let pool = Pool::of(&device)?;
        let name = name_of(&device)?;
        let (staging, copies) = (Staging::new()?, Copies::new()?);
        Ok(Gpu { device, blas, functions, pool, staging, copies, shared: shared as usize, name })
    }

    /// Where the values of a dfdx tensor are is read off what it prints of itself: this compares what lies there with
    /// what should.
    fn check(&self, dfdx: &Cuda) -> Run<()> {
        use dfdx::prelude::TensorFromVec;
        let expected: Vec<f32> = (0..37).map(|i| i as f32 * 0.5 - 3.0).collect();
        let tensor = dfdx.try_tensor_from_vec(expected.clone(), (expected.len(),))?;
        let mut found = vec![0.0; expected.len()];
        if let Some(place) = printed_place(&tensor) {
            self.device.synchronize()?;
            // SAFETY: if the place is what it is taken for, so many values are there; if it is none of the device's,
            // the driver says so.
            unsafe { result::memcpy_dtoh_sync(&mut found, place) }?;
        }
        if found == expected { Ok(()) } else { Err(DriverError(sys::CUresult::CUDA_ERROR_NOT_SUPPORTED).into()) }
    }

    /// The card's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Room for so many values, with whatever is left there.
    pub fn room(&self, len: usize) -> Run<Values> {
        // SAFETY: whoever asks for room writes all of it before it is read.
        Ok(unsafe { self.device.alloc(len.max(1)) }?)
    }

    /// The same for numbers of another kind.
    pub fn room_of<T: cudarc::driver::DeviceRepr>(&self, len: usize) -> Run<CudaSlice<T>> {
        // SAFETY: as above.
        Ok(unsafe { self.device.alloc(len.max(1)) }?)
    }

    /// Numbers of the host, copied.
    pub fn copied<T: cudarc::driver::DeviceRepr + Unpin>(&self, values: Vec<T>) -> Run<CudaSlice<T>> {
        Ok(self.device.htod_copy(values)?)
    }

    /// A copy on the host.
    pub fn read<T: cudarc::driver::DeviceRepr>(&self, values: &CudaSlice<T>) -> Run<Vec<T>> {
        Ok(self.device.dtoh_sync_copy(values)?)
    }

    /// Copies values to the host.
    pub fn read_into(&self, from: Place, to: &mut [f32]) -> Run<()> {
        if to.is_empty() {
            return Ok(());
        }
        self.device.bind_to_thread()?;
        // SAFETY: the place is that of a tensor of at least so many values; the host waits until they are there.
        unsafe { result::memcpy_dtoh_async(to, from.0, *self.device.cu_stream()) }?;
        self.wait()
    }

    /// Copies values of the host.
    pub fn upload(&self, to: Place, values: &[f32]) -> Run<()> {
        self.device.bind_to_thread()?;
        self.staging.upload(to, values, *self.device.cu_stream())
    }

    /// Copies `len` values.
    pub fn copy(&self, to: Place, from: Place, len: usize) -> Run<()> {
        self.device.bind_to_thread()?;
        // SAFETY: both places are those of tensors or buffers of at least so many values.
        Ok(unsafe { result::memcpy_dtod_async(to.0, from.0, len * size_of::<f32>(), *self.device.cu_stream()) }?)
    }

    /// Zeros in the place of `len` values.
    pub fn clear(&self, to: Place, len: usize) -> Run<()> {
        self.device.bind_to_thread()?;
        // SAFETY: as above.
        Ok(unsafe { result::memset_d8_async(to.0, 0, len * size_of::<f32>(), *self.device.cu_stream()) }?)
    }

    /// Waits until all that was asked for is done.
    pub fn wait(&self) -> Run<()> {
        Ok(self.device.synchronize()?)
    }

    /// Runs a kernel over `blocks` of `threads`, with so many bytes of memory that a block shares.
    pub fn launch(
        &self,
        name: &str,
        blocks: [usize; 3],
        threads: [usize; 2],
        shared: usize,
        arguments: &[Argument],
    ) -> Run<()> {
        let function = self.functions.get(name).ok_or(DriverError(sys::CUresult::CUDA_ERROR_NOT_FOUND))?;
        let mut parameters: Vec<*mut c_void> = arguments.iter().map(Argument::address).collect();
        let [x, y, z] = blocks.map(|count| count as u32);
        self.device.bind_to_thread()?;
        // SAFETY: the arguments are those of the kernel, in number and kind; what they point to is alive when it runs, as
        // memory is freed in the order of the stream.
        Ok(unsafe {
            result::launch_kernel(
                function.0,
                (x, y, z),
                (threads[0] as u32, threads[1] as u32, 1),
                shared as u32,
                *self.device.cu_stream(),
                &mut parameters,
            )
        }?)
    }

    /// Runs a kernel that visits `len` values one by one.
    pub fn each(&self, name: &str, len: usize, arguments: &[Argument]) -> Run<()> {
        if len == 0 {
            return Ok(());
        }
        // Places are counted in 32 bits.
        if len > i32::MAX as usize - MOST_BLOCKS * THREADS {
            return Err(DriverError(sys::CUresult::CUDA_ERROR_INVALID_VALUE).into());
        }
        self.launch(name, [len.div_ceil(THREADS).min(MOST_BLOCKS), 1, 1], [THREADS, 1], 0, arguments)
    }

    /// Runs a kernel that visits `len` values four by four.
    pub fn each_four(&self, name: &str, len: usize, arguments: &[Argument]) -> Run<()> {
        if len == 0 {
            return Ok(());
        }
        self.launch(name, [len.div_ceil(4 * THREADS).min(MOST_BLOCKS), 1, 1], [THREADS, 1], 0, arguments)
    }

    /// Bytes of the card that are free, and all of them.
    pub fn memory(&self) -> Run<[usize; 2]> {
        self.device.bind_to_thread()?;
        let (free, all) = result::mem_get_info()?;
        Ok([free, all])
    }

    /// The most bytes that tensors took at once since the last time this was asked.
    pub fn peak(&self) -> Option<u64> {
        self.pool?.take_peak()
    }

    /// Gives memory back to the driver that is kept for later.
    pub fn give_back(&self) -> Run<()> {
        self.wait()?;
        if let Some(Pool(pool)) = self.pool {
            // SAFETY: the device's own pool.
            unsafe { sys::cuMemPoolTrimTo(pool, 0) }.result()?;
        }
        Ok(())
    }
}

/// Bytes of memory that a block shares at most, where the card has as much.
const MOST_SHARED: i32 = 112 << 10;
/// Threads of a block that goes over values.
const THREADS: usize = 256;
/// Beyond so many blocks each thread does more.
const MOST_BLOCKS: usize = 1 << 16;

impl Pool {
    /// The device's own, if it has one. What is freed is kept, as fresh memory costs many times what a pass over it
    /// costs.
    fn of(device: &Arc<CudaDevice>) -> Run<Option<Self>> {
        let supported = device.attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED)?;
        if supported == 0 {
            return Ok(None);
        }
        let mut pool = std::ptr::null_mut();
        let mut all = u64::MAX;
        // SAFETY: the driver writes one handle, and reads one number of the kind that this attribute has.
        unsafe {
            sys::cuDeviceGetDefaultMemPool(&raw mut pool, *device.cu_device()).result()?;
            let threshold = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
            sys::cuMemPoolSetAttribute(pool, threshold, (&raw mut all).cast()).result()?;
        }
        Ok(Some(Pool(pool)))
    }

    fn take_peak(self) -> Option<u64> {
        let (mut most, mut anew) = (0_u64, 0_u64);
        let high = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH;
        // SAFETY: the driver writes, then reads, one number of the kind that this attribute has.
        unsafe {
            sys::cuMemPoolGetAttribute(self.0, high, (&raw mut most).cast()).result().ok()?;
            sys::cuMemPoolSetAttribute(self.0, high, (&raw mut anew).cast()).result().ok()?;
        }
        Some(most)
    }
}

fn name_of(device: &Arc<CudaDevice>) -> Run<String> {
    let mut name = [0 as c_char; 256];
    // SAFETY: the driver writes at most so many characters, the last of them zero.
    unsafe { sys::cuDeviceGetName(name.as_mut_ptr(), name.len() as i32, *device.cu_device()) }.result()?;
    // SAFETY: as above.
    Ok(unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned())
}

/// Where values begin on the GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(pub u64);

impl Place {
    /// None: an argument that is left out.
    pub const NONE: Place = Place(0);

    /// So many values further.
    pub fn after(self, values: usize) -> Self {
        Place(self.0 + (values * size_of::<f32>()) as u64)
    }

    /// Where a buffer begins.
    pub fn of<T>(values: &CudaSlice<T>) -> Self {
        Place(*values.device_ptr())
    }

    /// The same if there is one.
    pub fn of_any<T>(values: Option<&CudaSlice<T>>) -> Self {
        values.map_or(Place::NONE, Place::of)
    }
}

/// An argument of a kernel.
#[derive(Debug, Clone, Copy)]
pub enum Argument {
    /// A pointer.
    Place(u64),
    /// `size_t`
    Size(usize),
    /// `int` or `uint`
    Int(i32),
    /// `float`
    Float(f32),
    /// `double`
    Double(f64),
    /// A struct of `int`s.
    Ints([i32; 16]),
}

impl Argument {
    fn address(&self) -> *mut c_void {
        match self {
            Argument::Place(value) => std::ptr::from_ref(value).cast_mut().cast(),
            Argument::Size(value) => std::ptr::from_ref(value).cast_mut().cast(),
            Argument::Int(value) => std::ptr::from_ref(value).cast_mut().cast(),
            Argument::Float(value) => std::ptr::from_ref(value).cast_mut().cast(),
            Argument::Double(value) => std::ptr::from_ref(value).cast_mut().cast(),
            Argument::Ints(value) => std::ptr::from_ref(value).cast_mut().cast(),
        }
    }
}

impl From<Place> for Argument {
    fn from(place: Place) -> Self {
        Argument::Place(place.0)
    }
}

impl From<usize> for Argument {
    fn from(value: usize) -> Self {
        Argument::Size(value)
    }
}

impl From<i32> for Argument {
    fn from(value: i32) -> Self {
        Argument::Int(value)
    }
}

impl From<bool> for Argument {
    fn from(value: bool) -> Self {
        Argument::Int(i32::from(value))
    }
}

impl From<f32> for Argument {
    fn from(value: f32) -> Self {
        Argument::Float(value)
    }
}

impl From<f64> for Argument {
    fn from(value: f64) -> Self {
        Argument::Double(value)
    }
}

/// Where the values of a dfdx tensor begin. dfdx keeps that to itself, but for what a tensor prints as `Debug`; to print
/// only as far costs less than a microsecond. Tensors stay dfdx's in this way, so that its own operations run on them, and
/// nothing is copied. [`open`] checks that it is so.
pub fn printed_place(tensor: &impl fmt::Debug) -> Option<u64> {
    let mut reader = Reader { text: String::new(), place: None };
    // It ends by an error where the place has been read.
    let _ = write!(reader, "{tensor:?}");
    reader.place
}

struct Reader {
    text: String,
    place: Option<u64>,
}

impl Write for Reader {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        const BEFORE: &str = "cu_device_ptr: ";
        self.text.push_str(text);
        let Some((_, after)) = self.text.split_once(BEFORE) else { return Ok(()) };
        let Some((digits, _)) = after.split_once(',') else { return Ok(()) };
        self.place = digits.trim().parse().ok();
        Err(fmt::Error)
    }
}
