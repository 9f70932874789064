//! Every operation and every gradient, on both sets of kernels, against naive references in `f64`.

mod check;
mod conv;
mod elementwise;
mod linear;
mod net;
mod norm;
mod pool;
mod update;
