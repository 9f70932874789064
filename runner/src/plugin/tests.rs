//! The host, with plugins in C that are made for each test.

mod gpu;

use super::*;
use crate::engine::{Cpu, KernelSet, Kernels, Tape, Tensor};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;

/// A plugin with one layer `double`, of which each test changes what it is about.
const DOUBLE: &str = r#"
#include "runner_plugin.h"
static const runner_host *host;
static char instance;
static runner_status create(const char *arguments, size_t length, void **made, runner_sink *sink) {
    (void)arguments; (void)length; (void)sink;
    *made = &instance;
    return RUNNER_OK;
}
static runner_status output_shape(void *self, const runner_shape *const *inputs, size_t count, runner_shape *output,
                                  runner_sink *sink) {
    (void)self; (void)sink; (void)count;
    *output = *inputs[0];
    return RUNNER_OK;
}
static runner_status forward(void *self, const runner_forward *call, runner_sink *sink) {
    (void)self; (void)sink;
    int64_t count = runner_count(call->output);
    const float *x = runner_values(call->inputs[0]);
    float *y = runner_values(call->output);
    for (int64_t i = 0; i < count; i++) y[i] = 2 * x[i];
    /* forward */
    return RUNNER_OK;
}
static runner_status backward(void *self, const runner_backward *call, runner_sink *sink) {
    (void)self; (void)sink;
    int64_t count = runner_count(call->output);
    const float *gy = runner_values(call->output_gradient);
    if (call->input_gradients[0]) {
        float *gx = runner_values(call->input_gradients[0]);
        for (int64_t i = 0; i < count; i++) gx[i] += 2 * gy[i];
    }
    /* backward */
    return RUNNER_OK;
}
static const runner_layer layer = {
    sizeof(runner_layer), "double", "Twice its input.", "{\"type\": \"object\", \"additionalProperties\": false}",
    0, RUNNER_DEVICE_CPU, 1, 1, create, NULL, output_shape, NULL, NULL, NULL, forward, backward,
};
static const runner_layer *const layers[] = { &layer };
static const runner_plugin_table table = {
    sizeof(runner_plugin_table), RUNNER_ABI_MAJOR, RUNNER_ABI_MINOR, "test", "1.0", 1, layers,
};
const runner_plugin_table *runner_plugin(const runner_host *given) {
    host = given;
    (void)host;
    return &table;
}
"#;

/// A plugin, or why there is none.
struct Built {
    _dir: tempfile::TempDir,
    path: PathBuf,
    plugin: Result<Plugin, PluginError>,
}

/// Builds `DOUBLE` with `changes`; `None` where there is no C compiler.
fn build(changes: &[(&str, &str)]) -> Option<Built> {
    build_with(None, changes)
}

/// The same against a header of its own.
fn build_with(header: Option<&str>, changes: &[(&str, &str)]) -> Option<Built> {
    if std::process::Command::new("cc").arg("--version").output().is_err() {
        eprintln!("skipped: there is no `cc` here");
        return None;
    }
    let mut source = DOUBLE.to_owned();
    for (old, new) in changes {
        assert!(source.contains(old), "{old}");
        source = source.replace(old, new);
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("plugin.c");
    std::fs::write(&path, source).unwrap();
    if let Some(header) = header {
        std::fs::write(dir.path().join("runner_plugin.h"), header).unwrap();
    }
    let plugin = load(&path, None);
    Some(Built { _dir: dir, path, plugin })
}

/// What is said of a plugin that cannot be used.
fn refusal(changes: &[(&str, &str)]) -> Option<String> {
    let built = build(changes)?;
    let said = built.plugin.unwrap_err().to_string();
    Some(said.replace(&built.path.display().to_string(), "PATH"))
}

fn instance(plugin: &Plugin) -> Arc<Instance> {
    Arc::new(Instance::create(&plugin.kinds[0], &json!({})).unwrap())
}

/// Output, and the gradient of the input for a loss that is the sum of the outputs' squares.
fn run(plugin: &Plugin, guard: bool, x: &[f32]) -> Result<(Vec<f32>, Vec<f32>), String> {
    let device = Cpu::default();
    let text = |error: crate::engine::EngineError| error.to_string();
    let dims = [x.len(), 1];
    let x = Tensor::from_vec(&device, x.to_vec(), &dims).map_err(text)?.wanting_grad(true);
    let mut tape = Tape::recording(KernelSet::Fast);
    let call =
        Call::new(instance(plugin), true, vec![0; dims[0]], &[vec![1]], guard).map_err(|error| error.to_string())?;
    let y = Cpu::foreign(&mut tape, Arc::new(call), std::slice::from_ref(&x), &[], &dims).map_err(text)?;
    let row = y.reshape(&[1, dims[0]]).map_err(text)?;
    // Cross entropy is the engine's only way to a scalar.
    let targets = Tensor::from_vec(&device, vec![1.0; dims[0]], &[1, dims[0]]).map_err(text)?;
    let loss = Cpu::cross_entropy(&mut tape, &row, &targets).map_err(text)?;
    let mut gradients = tape.backward(&loss).map_err(text)?;
    Ok((y.to_vec(), gradients.of(&x).map_err(text)?.to_vec()))
}

#[test]
fn a_plugin_runs_forward_and_back_with_and_without_guard() {
    let Some(built) = build(&[]) else { return };
    let plugin = built.plugin.unwrap();
    assert_eq!((plugin.name.as_str(), plugin.version.as_str(), plugin.sha256.len()), ("test", "1.0", 64));
    let (y, gx) = run(&plugin, false, &[0.5, -1.0, 2.0]).unwrap();
    assert_eq!(y, [1.0, -2.0, 4.0]);
    // The gradient of cross entropy: the sum of targets times softmax, less the target.
    let sum: f32 = y.iter().map(|y| y.exp()).sum();
    for (y, gx) in y.iter().zip(&gx) {
        assert!((gx - 2.0 * (3.0 * y.exp() / sum - 1.0)).abs() < 1e-5, "{gx}");
    }
    assert_eq!(run(&plugin, true, &[0.5, -1.0, 2.0]).unwrap(), (y, gx));
}

#[test]
fn the_same_content_is_loaded_once_and_pinned_content_is_checked() {
    let Some(built) = build(&[]) else { return };
    let plugin = built.plugin.unwrap();
    let again = load(&built.path, Some(&plugin.sha256)).unwrap();
    assert!(Arc::ptr_eq(&plugin.kinds[0], &again.kinds[0]));
    let error = load(&built.path, Some(&"0".repeat(64))).unwrap_err();
    assert!(matches!(&error, PluginError::Pinned { found, .. } if *found == plugin.sha256), "{error}");
}

#[test]
fn tables_that_do_not_fit_are_refused() {
    for (old, new, said) in [
        ("RUNNER_ABI_MAJOR, RUNNER_ABI_MINOR", "2, 3", "it is made for interface 2.3, and this runner has 1.1"),
        ("sizeof(runner_plugin_table)", "16", "its table has 16 bytes, and should have 48"),
        ("sizeof(runner_plugin_table)", "8", "its table has 8 bytes, and should have 48"),
        ("sizeof(runner_layer)", "100", "its struct of layer 0 has 100 bytes, and should have 128"),
        ("return &table", "return NULL", "it gave no table: it does not work with this runner (interface 1.1)"),
        ("\"test\"", "NULL", "its table has no name"),
        ("1, layers", "0, layers", "it brings no layers"),
        ("{ &layer }", "{ NULL }", "its layer 0 is null"),
        ("\"double\"", "\"Double\"", "its layer 0: it cannot be called `Double`"),
        ("forward, backward", "forward, NULL", "its layer 0: `double` lacks the function `backward`"),
        ("RUNNER_DEVICE_CPU, 1, 1", "RUNNER_DEVICE_CPU, 2, 1", "its layer 0: `double` takes from 2 to 1 inputs"),
        (
            "RUNNER_DEVICE_CPU, 1, 1",
            "RUNNER_DEVICE_CUDA, 1, 1",
            "its layer 0: `double` does not take tensors of the CPU",
        ),
        ("\"{\\\"type", "\"{\\\"type\\\": 3, \\\"type", "its layer 0: the schema of `double`"),
        ("*runner_plugin(const", "*another_name(const", "it has no symbol `runner_plugin`, so it is no plugin"),
        ("1, layers", "2, twice", "it has two layers called `double`"),
    ] {
        let twice = "static const runner_layer *const layers[] = { &layer };";
        let both = format!("{twice}\nstatic const runner_layer *const twice[] = {{ &layer, &layer }};");
        let changes: &[(&str, &str)] = if new == "2, twice" { &[(twice, &both), (old, new)] } else { &[(old, new)] };
        // A schema that says the same key twice has the last: break it otherwise.
        let changes = if said.contains("schema") { &[("\\\"object\\\"", "\\\"nothing\\\"")][..] } else { changes };
        let Some(found) = refusal(changes) else { return };
        assert!(found.starts_with(&format!("plugin PATH: {said}")), "{found}");
    }
}

#[test]
fn code_that_does_not_compile_is_refused_with_the_compilers_words() {
    let Some(said) = refusal(&[("return &table", "return table")]) else { return };
    assert!(said.starts_with("plugin PATH: `cc` failed:\n") && said.contains("error:"), "{said}");
}

#[test]
fn a_file_that_is_no_library_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.so");
    std::fs::write(&path, "not a library").unwrap();
    let said = load(&path, None).unwrap_err().to_string();
    assert!(said.contains("it is no shared library that can be loaded"), "{said}");
}

#[test]
fn failing_functions_are_named_with_what_they_say() {
    let fail = "return runner_fail(host, sink, \"not today\");";
    let Some(built) = build(&[("/* forward */", fail)]) else { return };
    let said = run(&built.plugin.unwrap(), false, &[1.0]).unwrap_err();
    assert_eq!(said, "plugin `test`, layer `double`: `forward` failed: not today");

    let built = build(&[("/* backward */", "host->fail(sink, \"oh\", 2); return RUNNER_PANIC;")]).unwrap();
    let said = run(&built.plugin.unwrap(), false, &[1.0]).unwrap_err();
    assert_eq!(said, "plugin `test`, layer `double`: `backward` panicked: oh");

    let built = build(&[("*made = &instance;", "(void)made; return 7;")]).unwrap();
    let said = Instance::create(&built.plugin.unwrap().kinds[0], &json!({})).unwrap_err().to_string();
    assert_eq!(said, "plugin `test`, layer `double`: `create` failed with status 7: it gave no reason");

    let built = build(&[("*output = *inputs[0];", "*output = *inputs[0]; output->rank = 2;")]).unwrap();
    let said = instance(&built.plugin.unwrap()).output_shape(&[vec![4]]).unwrap_err().to_string();
    assert!(said.contains("`output_shape` gave a shape that is neither (H, W, C) nor (F): [4, 0]"), "{said}");

    let built = build(&[]).unwrap();
    let said = instance(&built.plugin.unwrap()).output_shape(&[vec![4], vec![4]]).unwrap_err().to_string();
    assert!(said.ends_with("`output_shape` takes 1 input, not 2"), "{said}");
}

#[test]
fn guard_words_find_what_is_written_beside_buffers() {
    for (place, code, said) in [
        ("/* forward */", "y[count] = 1;", "`forward` wrote past the end of output, by 1 values"),
        ("/* forward */", "y[-2] = 1;", "`forward` wrote before the start of output, by 2 values"),
        ("/* forward */", "((float *)x)[1] = 9;", "`forward` changed input 0[1, 0], which is only to be read"),
        ("/* forward */", "((float *)x)[count + 3] = 9;", "`forward` wrote past the end of input 0, by 4 values"),
        ("/* forward */", "y[1] = 1 / (y[0] - y[0]);", "`forward` gave inf in output[1, 0]"),
        ("i < count; i++) y[i]", "i + 1 < count; i++) y[i]", "`forward` did not write output[2, 0]"),
        (
            "/* backward */",
            "runner_values(call->input_gradients[0])[count] = 1;",
            "`backward` wrote past the end of gradient of input 0, by 1 values",
        ),
        (
            "/* backward */",
            "runner_values(call->input_gradients[0])[2] = 0.0f / (gy[0] - gy[0]);",
            "`backward` gave NaN in gradient of input 0[2, 0]",
        ),
        (
            "/* backward */",
            "((float *)gy)[0] = 3;",
            "`backward` changed output gradient 0[0, 0], which is only to be read",
        ),
    ] {
        let Some(built) = build(&[(place, code)]) else { return };
        let found = run(&built.plugin.unwrap(), true, &[1.0, 2.0, 3.0]).unwrap_err();
        assert_eq!(found, format!("plugin `test`, layer `double`: {said}"), "{code}");
    }
}
