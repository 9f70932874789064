//! Products of matrices, by cuBLAS.

use super::super::Precision;
use super::gpu::{Gpu, Place, Run};
use cudarc::cublas::{result, sys};

/// A matrix in memory, row by row.
#[derive(Debug, Clone, Copy)]
pub struct Matrix {
    /// Its first value.
    pub place: Place,
    /// Values from the begin of a row to that of the next.
    pub stride: usize,
    /// Whether what is meant is its transpose.
    pub turned: bool,
}

impl Matrix {
    /// As it lies.
    pub fn new(place: Place, stride: usize) -> Self {
        Matrix { place, stride, turned: false }
    }

    /// Its transpose.
    #[must_use]
    pub fn turned(self) -> Self {
        Matrix { turned: !self.turned, ..self }
    }

    fn operation(&self) -> sys::cublasOperation_t {
        if self.turned { sys::cublasOperation_t::CUBLAS_OP_T } else { sys::cublasOperation_t::CUBLAS_OP_N }
    }
}

impl Gpu {
    /// `to = a · b`, or `to += a · b`; `a` is (rows, inner), `b` (inner, columns).
    pub fn product(&self, to: Matrix, a: Matrix, b: Matrix, [rows, inner, columns]: [usize; 3], add: bool) -> Run<()> {
        if rows * columns == 0 {
            return Ok(());
        }
        let (alpha, beta) = (1.0_f32, f32::from(u8::from(add)));
        let compute = match Precision::chosen() {
            Precision::F32 => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
            Precision::Tf32 => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32,
        };
        let (kind, algorithm) = (sys::cudaDataType::CUDA_R_32F, sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT);
        // SAFETY: the matrices are as large as is said. cuBLAS has columns where there are rows here, so it is given the
        // transposes in turned order.
        Ok(unsafe {
            result::gemm_ex(
                *self.blas.handle(),
                b.operation(),
                a.operation(),
                columns as i32,
                rows as i32,
                inner as i32,
                (&raw const alpha).cast(),
                b.place.0 as *const _,
                kind,
                b.stride as i32,
                a.place.0 as *const _,
                kind,
                a.stride as i32,
                (&raw const beta).cast(),
                to.place.0 as *mut _,
                kind,
                to.stride as i32,
                compute,
                algorithm,
            )
        }?)
    }
}
