//! Between the order of weight files and the order in memory.

use crate::layers::ParamDef;

/// The shape that a framework's weight file gives this parameter.
pub fn file_dims(def: &ParamDef) -> Vec<usize> {
    let _ = def;
    todo!()
}

/// Values in file order, put into memory order.
pub fn to_memory(def: &ParamDef, values: &[f32]) -> Vec<f32> {
    let _ = (def, values);
    todo!()
}

/// Values in memory order, put into file order.
pub fn to_file(def: &ParamDef, values: &[f32]) -> Vec<f32> {
    let _ = (def, values);
    todo!()
}
