//! What the border to a plugin costs: `cargo bench -p runner --bench plugin_border`.
//!
//! An identity layer in C against the same copy within the runner, by turns, on a batch of
//! (32, 56, 56, 64) and on one value. Nothing but the border differs, so the difference is its cost;
//! on one value it is seen without the noise of memory traffic.

use runner::engine::{Cpu, EngineError, Foreign, ForeignBackward, ForeignForward, KernelSet, Kernels, Tape, Tensor};
use runner::plugin::{self, Call, Instance};
use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// The same operation without a border.
struct BuiltIn;

impl Foreign for BuiltIn {
    fn forward(&self, call: ForeignForward<'_>) -> Result<(), EngineError> {
        let input = call.inputs.first().and_then(|input| input.values).unwrap_or_default();
        call.output.values.copy_from_slice(input);
        Ok(())
    }

    fn backward(&self, _: ForeignBackward<'_>) -> Result<(), EngineError> {
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/plugins/identity.c");
    let plugin = plugin::load(&source, None)?;
    let kind = plugin.kinds.first().ok_or("the plugin brings no layer")?;
    let instance = Arc::new(Instance::create(kind, &serde_json::json!({}))?);

    println!("{:>18} {:>12} {:>12} {:>16}", "batch", "built in", "plugin", "border (median)");
    for (dims, rounds) in [([32, 56, 56, 64], 400), ([1, 1, 1, 1], 20_000)] {
        let count: usize = dims.iter().product();
        let x = Tensor::from_vec(&runner::engine::device::open_cpu()?, vec![0.5; count], &dims)?;
        let of_sample = [dims[1..].to_vec()];
        let through = || -> Result<f64, Box<dyn Error>> {
            let started = Instant::now();
            // What the layer does for each batch.
            let mut output = vec![dims[0]];
            output.extend(instance.output_shape(&of_sample)?);
            let call = Call::new(instance.clone(), true, vec![0; dims[0]], &of_sample, false)?;
            run(&x, Arc::new(call), &output)?;
            Ok(started.elapsed().as_secs_f64())
        };
        let within = || -> Result<f64, Box<dyn Error>> {
            let started = Instant::now();
            run(&x, Arc::new(BuiltIn), &dims)?;
            Ok(started.elapsed().as_secs_f64())
        };
        let (mut built_in, mut plugin, mut border) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..rounds {
            // Whoever comes second may find the memory warmer.
            let (a, b) = if round % 2 == 0 {
                let a = within()?;
                (a, through()?)
            } else {
                let b = through()?;
                (within()?, b)
            };
            built_in.push(a);
            plugin.push(b);
            border.push(b - a);
        }
        let micro = |times: &mut Vec<f64>| format!("{:.2} us", median(times) * 1e6);
        let batch = dims.map(|dim| dim.to_string()).join("x");
        println!("{batch:>18} {:>12} {:>12} {:>16}", micro(&mut built_in), micro(&mut plugin), micro(&mut border));
    }
    Ok(())
}

fn run(x: &Tensor<Cpu>, operation: Arc<dyn Foreign>, output: &[usize]) -> Result<(), EngineError> {
    let mut tape = Tape::off(KernelSet::Fast);
    let y = Cpu::foreign(&mut tape, operation, std::slice::from_ref(x), &[], output)?;
    black_box(&y);
    Ok(())
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}
