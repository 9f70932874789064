//! Layers that take tensors on a GPU. What stands for its memory here is the host's: what crosses the border is the same.

use super::*;
use crate::engine::{Foreign, GpuBackward, GpuForward, GpuTensor, Workplace};
use std::ptr::null_mut;

const TAKES_BOTH: (&str, &str) = ("0, RUNNER_DEVICE_CPU, 1, 1", "0, RUNNER_DEVICE_CPU | RUNNER_DEVICE_CUDA, 1, 1");

/// Fails unless tensors are those of GPU 3, and all else is as the header says.
const LOOKS: [(&str, &str); 2] = [
    (
        "/* forward */",
        "const DLTensor *all[] = {call->inputs[0], call->output};
    for (int i = 0; i < 2; i++)
        if (all[i]->device.device_type != kDLCUDA || all[i]->device.device_id != 3)
            return runner_fail(host, sink, \"not on GPU 3\");
    if (call->size < sizeof *call || call->stream != (void *)0x77) return runner_fail(host, sink, \"no stream\");
    if (call->batch != 3 || call->keys[1] != 8) return runner_fail(host, sink, \"no keys\");
    ((int64_t *)call->scratch)[0] = 42;",
    ),
    (
        "/* backward */",
        "const DLTensor *all[] = {call->inputs[0], call->output, call->output_gradient, call->input_gradients[0]};
    for (int i = 0; i < 4; i++)
        if (all[i] != NULL && (all[i]->device.device_type != kDLCUDA || all[i]->device.device_id != 3))
            return runner_fail(host, sink, \"not on GPU 3\");
    if (call->size < sizeof *call || call->stream != (void *)0x77) return runner_fail(host, sink, \"no stream\");
    if (((int64_t *)call->scratch)[0] != 42) return runner_fail(host, sink, \"other scratch\");",
    ),
];

fn call(plugin: &Plugin, guard: bool) -> Call {
    Call::new(instance(plugin), true, vec![7, 8, 9], &[vec![1]], guard).unwrap()
}

fn tensor<'a>(dims: &'a [usize], values: &mut [f32]) -> GpuTensor<'a> {
    GpuTensor { dims, values: values.as_mut_ptr() }
}

#[test]
fn a_layer_is_given_tensors_of_the_gpu_and_its_stream() {
    let Some(built) = build(&[LOOKS[0], LOOKS[1], TAKES_BOTH]) else { return };
    let call = call(&built.plugin.unwrap(), false);
    let there = call.on_gpu().unwrap();
    let (dims, mut scratch) = ([3, 1], [0_u64]);
    let at = Workplace { gpu: 3, stream: std::ptr::without_provenance_mut(0x77), scratch: scratch.as_mut_ptr().cast() };
    let (mut x, mut y) = ([0.5, -1.0, 2.0], [f32::NAN; 3]);
    let forward = |at, x: &mut [f32], y: &mut [f32]| {
        let (inputs, output) = (vec![tensor(&dims, x)], tensor(&dims, y));
        // SAFETY: the tensors are as large as is said, and the layer takes them for the host's.
        unsafe { there.forward(GpuForward { at, inputs, params: Vec::new(), output, recorded: true }) }
    };
    forward(at, &mut x, &mut y).unwrap();
    assert_eq!(y, [1.0, -2.0, 4.0]);
    let (mut gy, mut gx) = ([1.0, 2.0, 3.0], [10.0; 3]);
    let mut back = |wanted: bool| {
        let call = GpuBackward {
            at,
            inputs: vec![tensor(&dims, &mut x)],
            params: Vec::new(),
            output: GpuTensor { dims: &dims, values: null_mut() },
            output_gradient: tensor(&dims, &mut gy),
            input_gradients: vec![wanted.then(|| tensor(&dims, &mut gx))],
            param_gradients: Vec::new(),
        };
        // SAFETY: as above.
        unsafe { there.backward(call) }.unwrap();
    };
    back(true);
    back(false);
    assert_eq!(gx, [12.0, 14.0, 16.0], "added to what was there, once");
    let error = forward(Workplace { gpu: 2, ..at }, &mut x, &mut y).unwrap_err();
    assert_eq!(error.to_string(), "plugin `test`, layer `double`: `forward` failed: not on GPU 3");
}

#[test]
fn on_the_cpu_and_under_guard_the_same_layer_is_given_tensors_of_the_cpu() {
    let looks = "if (call->output->device.device_type != kDLCPU || call->stream != NULL)
        return runner_fail(host, sink, \"not on the CPU\");";
    let Some(built) = build(&[("/* forward */", looks), ("/* backward */", looks), TAKES_BOTH]) else { return };
    let plugin = built.plugin.unwrap();
    let (y, _) = run(&plugin, false, &[1.0, 2.0, 3.0]).unwrap();
    assert_eq!(y, [2.0, 4.0, 6.0]);
    assert_eq!(run(&plugin, true, &[1.0, 2.0, 3.0]).unwrap().0, y);
    assert!(plugin.kinds[0].takes_gpu_tensors() && call(&plugin, false).on_gpu().is_some());
    assert!(call(&plugin, true).on_gpu().is_none() && call(&plugin, false).guarded().on_gpu().is_none());
}

#[test]
fn a_layer_that_does_not_say_so_is_not_given_tensors_of_a_gpu() {
    let Some(built) = build(&[]) else { return };
    let plugin = built.plugin.unwrap();
    assert!(!plugin.kinds[0].takes_gpu_tensors() && call(&plugin, false).on_gpu().is_none());
}

/// The header of interface 1.0, so far as it differs.
fn former_header() -> String {
    let header = runner_plugin_abi::HEADER.replace("#define RUNNER_ABI_MINOR 1", "#define RUNNER_ABI_MINOR 0");
    header.replace("    void *stream;", "")
}

#[test]
fn a_plugin_of_the_first_minor_runs_and_stays_on_the_cpu() {
    // Its structs are shorter, and a bit that meant nothing may be set.
    let sizes = "typedef char of_forward[sizeof(runner_forward) == 88 ? 1 : -1];
typedef char of_backward[sizeof(runner_backward) == 112 ? 1 : -1];
static char instance;";
    let changes = [("static char instance;", sizes), TAKES_BOTH];
    let Some(built) = build_with(Some(&former_header()), &changes) else { return };
    let plugin = built.plugin.unwrap();
    assert_eq!(plugin.interface, [1, 0]);
    let (y, gx) = run(&plugin, false, &[0.5, -1.0]).unwrap();
    assert_eq!(y, [1.0, -2.0]);
    assert_eq!(run(&plugin, true, &[0.5, -1.0]).unwrap(), (y, gx));
    assert!(!plugin.kinds[0].takes_gpu_tensors() && call(&plugin, false).on_gpu().is_none());
}
