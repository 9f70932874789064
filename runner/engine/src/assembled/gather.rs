//! Rows of a matrix, gathered by index. Indices are kept for the next use of the same geometry.

use super::super::{EngineError, Kernels, Result};
use super::operand::{Plain, Rows, Taped};
use dfdx::prelude::{Axis, BroadcastTo, GatherTo, HasShape, Tape, TryMul};
use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Which rows to take, and which of them count as zeros.
#[derive(Debug, Clone)]
pub struct Gather<D: Kernels> {
    index: dfdx::prelude::Tensor<(usize,), usize, D>,
    /// 1 for a row, 0 for zeros; `None` where all are rows.
    mask: Option<Plain<(usize,), D>>,
}

/// A row to take: its number and whether it counts; where it does not, any row will do, and one
/// nearby keeps CUDA's atomic additions apart.
pub type Row = (usize, bool);

impl<D: Kernels> Gather<D> {
    fn new(device: &D, rows: &[Row]) -> Result<Self> {
        let count = rows.len();
        let index = rows.iter().map(|&(row, _)| row).collect();
        let index = device.try_tensor_from_vec(index, (count,)).map_err(EngineError::device("gather"))?;
        if rows.iter().all(|&(_, counts)| counts) {
            return Ok(Gather { index, mask: None });
        }
        let mask = rows.iter().map(|&(_, counts)| if counts { 1.0 } else { 0.0 }).collect();
        let mask = device.try_tensor_from_vec(mask, (count,)).map_err(EngineError::device("gather"))?;
        Ok(Gather { index, mask: Some(mask) })
    }

    /// The rows that `rows` lists, kept under `key`, which must determine them. A program uses one
    /// device of a type: the key does not tell two GPUs apart.
    pub fn kept(device: &D, key: &impl std::fmt::Debug, rows: impl FnOnce() -> Vec<Row>) -> Result<Rc<Self>> {
        /// Rows kept at most, over all geometries: half a gigabyte of indices.
        const MOST: usize = 1 << 26;
        #[derive(Default)]
        struct Kept {
            gathers: HashMap<(TypeId, String), Rc<dyn Any>>,
            rows: usize,
        }
        thread_local! {
            static KEPT: RefCell<Kept> = RefCell::default();
        }
        let key = (TypeId::of::<D>(), format!("{key:?}"));
        let found = KEPT.with_borrow(|kept| kept.gathers.get(&key).cloned());
        if let Some(gather) = found.and_then(|gather| gather.downcast::<Self>().ok()) {
            return Ok(gather);
        }
        let rows = rows();
        let gather = Rc::new(Gather::new(device, &rows)?);
        KEPT.with_borrow_mut(|kept| {
            if kept.rows + rows.len() > MOST {
                *kept = Kept::default();
            }
            kept.rows += rows.len();
            kept.gathers.insert(key, gather.clone());
        });
        Ok(gather)
    }

    /// The rows, in order.
    pub fn of<T: Tape<f32, D>>(&self, matrix: Taped<Rows, D, T>) -> std::result::Result<Taped<Rows, D, T>, D::Err> {
        let gathered = matrix.try_gather(self.index.clone())?;
        let shape = *gathered.shape();
        match &self.mask {
            None => Ok(gathered),
            Some(mask) => gathered.try_mul(mask.clone().try_broadcast_like::<_, Axis<1>>(&shape)?),
        }
    }
}
