//! `runner plugin list` and `check`: of the examples, and of plugins that do wrong.

use crate::plugin_support::{has_cc, has_make};
use crate::support::{Place, repository};
use predicates::str::contains;
use serde_json::Value;

/// A layer with an argument, a parameter and state that `create` makes: y = gain * weight * x. Each
/// test makes something of it wrong.
const GAIN: &str = r#"
#define _POSIX_C_SOURCE 200809L
#include <sched.h>
#include "runner_plugin.h"
#include <stdlib.h>
#include <string.h>

static const runner_host *host;
typedef struct { float gain; int inside; int asked; float kept[4096]; } gain;

static runner_status create(const char *arguments, size_t length, void **made, runner_sink *sink) {
    double value = 2.0;
    host->json_number(arguments, length, "/gain", &value);
    if (!(value > -1e3 && value < 1e3)) return runner_fail(host, sink, "gain is too large");
    gain *self = calloc(1, sizeof *self);
    if (self == NULL) return runner_fail(host, sink, "no memory is left");
    self->gain = (float)value;
    *made = self;
    return RUNNER_OK;
}
static void destroy(void *made) { free(made); }
static runner_status output_shape(void *made, const runner_shape *const *inputs, size_t count, runner_shape *output,
                                  runner_sink *sink) {
    gain *self = made;
    (void)count; (void)sink; (void)self;
    *output = *inputs[0];
    return RUNNER_OK;
}
static runner_status parameters(void *made, const runner_shape *const *inputs, size_t count, runner_parameters *list,
                                runner_sink *sink) {
    (void)made; (void)count; (void)sink;
    runner_parameter weight = {
        .size = sizeof weight, .name = "weight", .rank = 1, .dims = {inputs[0]->dims[inputs[0]->rank - 1]},
        .init = RUNNER_INIT_CONSTANT, .a = 1.0f,
    };
    host->add_parameter(list, &weight);
    return RUNNER_OK;
}
static runner_status forward(void *made, const runner_forward *call, runner_sink *sink) {
    gain *self = made;
    (void)sink;
    const int64_t count = runner_count(call->output), channels = runner_count(call->parameters[0]);
    const float *x = runner_values(call->inputs[0]), *weight = runner_values(call->parameters[0]);
    float *y = runner_values(call->output);
    for (int64_t i = 0; i < count; i++) y[i] = self->gain * weight[i % channels] * x[i];
    /* forward */
    return RUNNER_OK;
}
static runner_status backward(void *made, const runner_backward *call, runner_sink *sink) {
    gain *self = made;
    (void)sink;
    const int64_t count = runner_count(call->output), channels = runner_count(call->parameters[0]);
    const float *x = runner_values(call->inputs[0]), *weight = runner_values(call->parameters[0]);
    const float *dy = runner_values(call->output_gradient);
    if (call->input_gradients[0]) {
        float *dx = runner_values(call->input_gradients[0]);
        for (int64_t i = 0; i < count; i++) dx[i] += self->gain * weight[i % channels] * dy[i];
    }
    if (call->parameter_gradients[0]) {
        float *dw = runner_values(call->parameter_gradients[0]);
        for (int64_t i = 0; i < count; i++) dw[i % channels] += self->gain * x[i] * dy[i];
    }
    return RUNNER_OK;
}
static const runner_layer layer = {
    .size = sizeof(runner_layer), .name = "gain", .documentation = "Multiplies.",
    .schema = "{ \"type\": \"object\", \"properties\": { \"gain\": { \"type\": \"number\" } },"
              " \"additionalProperties\": false, \"examples\": [{}, { \"gain\": -0.5 }] }",
    .flags = RUNNER_LAYER_PARAMETERS, .devices = RUNNER_DEVICE_CPU, .min_inputs = 1, .max_inputs = 1,
    .create = create, .destroy = destroy, .output_shape = output_shape, .parameters = parameters,
    .forward = forward, .backward = backward,
};
static const runner_layer *const layers[] = {&layer};
static const runner_plugin_table table = {
    .size = sizeof table, .abi_major = RUNNER_ABI_MAJOR, .abi_minor = RUNNER_ABI_MINOR, .name = "test",
    .version = "1.0", .layer_count = 1, .layers = layers,
};
const runner_plugin_table *runner_plugin(const runner_host *given) { host = given; return &table; }
"#;

/// The plugin with changes, as `gain.c` in a place of its own.
fn changed(changes: &[(&str, &str)]) -> Place {
    let mut source = GAIN.to_owned();
    for (old, new) in changes {
        assert!(source.contains(old), "{old}");
        source = source.replace(old, new);
    }
    let place = Place::new();
    place.write("gain.c", source);
    place
}

/// Changes, the rows that fail by them, and what all of these say.
type Fault<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], &'a str);

/// What `check` prints of the plugin with changes, and whether it found a fault.
fn check(changes: &[(&str, &str)]) -> (String, bool) {
    let place = changed(changes);
    let output = place.runner(&["plugin", "check", "gain.c"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => (text, false),
        Some(1) => (text, true),
        code => panic!("{code:?}: {text}{said}"),
    }
}

/// What is wrong, by the rows that say so.
fn failed(text: &str) -> Vec<(&str, &str)> {
    text.lines()
        .filter_map(|line| line.trim().split_once("  failed "))
        .map(|(row, what)| (row.trim(), what.trim()))
        .collect()
}

/// What depends on the machine is left out of snapshots.
fn filtered() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d+ values.*", "[COUNT] values");
    settings.add_filter(r"memory( +)(ok|skipped) .*", "memory$1[OK OR SKIPPED]");
    settings
}

/// The example plugins in C and in Rust.
fn passes(name: &str, row: &str) {
    let place = Place::new();
    let path = repository("plugins").join(name);
    let output = place.runner(&["plugin", "check", path.to_str().unwrap()]).assert().success();
    let text = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    assert!(text.ends_with("\nall checks passed\n") && text.contains(row), "{text}");
    assert_eq!(text.matches("  ok ").count(), if cfg!(target_os = "linux") { 11 } else { 10 }, "{text}");
}

#[test]
fn the_examples_in_c_pass() {
    if has_cc() {
        passes("feature_clip", "training                 ok       as evaluation");
        passes("scale_shift", "threads                  ok       4 threads, an instance each and one for all");
    }
}

#[test]
fn the_example_that_make_builds_passes() {
    if has_make() {
        passes("swish", "gradients in training    ok ");
    }
}

#[test]
fn the_examples_in_rust_pass() {
    passes("drop_connect", "training                 ok       random");
    passes("stochastic_pool", "training                 ok       random");
}

#[test]
fn a_layer_without_fault_passes() {
    if !has_cc() {
        return;
    }
    let (text, faulty) = check(&[]);
    assert!(!faulty, "{text}");
    filtered().bind(|| insta::assert_snapshot!(text));
}

#[test]
fn a_wrong_gradient_is_told_at_its_first_place() {
    if !has_cc() {
        return;
    }
    let (text, faulty) = check(&[("dw[i % channels] +=", "if (i != 5) dw[i % channels] +=")]);
    assert!(faulty);
    filtered().bind(|| insta::assert_snapshot!(text));
}

#[test]
fn each_fault_is_found_by_the_check_that_is_about_it() {
    if !has_cc() {
        return;
    }
    let training = "if (call->mode == RUNNER_TRAINING)";
    let random = format!(
        "{training} for (int64_t n = 0; n < call->batch; n++) {{ uint32_t numbers[4]; \
         runner_philox(call->keys[n], 0, numbers); y[n * count / call->batch] += runner_unit(numbers[0]); }}"
    );
    let doubled = format!("{training} for (int64_t i = 0; i < count; i++) y[i] += 1;");
    let keeps = "memcpy(self->kept, x, (size_t)count * sizeof *x);";
    let together = "int first = self->inside++ == 0; sched_yield(); if (!first) y[0] += 1; self->inside--;";
    let both = ["gradients in evaluation", "gradients in training"];
    let cases: [Fault<'_>; 21] = [
        (&[("\\\"additionalProperties\\\": false,", "")], &["schema"], "lets unknown keys pass"),
        (&[("{ \\\"gain\\\": -0.5 }", "{ \\\"gain\\\": \\\"x\\\" }")], &["schema"], "does not take {\"gain\":\"x\"}"),
        (
            &[("return runner_fail(host, sink, \"gain", "return 2 * runner_fail(host, sink, \"gain")],
            &["create"],
            "`create` panicked: gain is too large",
        ),
        (
            &[(
                "*made = self;",
                "static int made_before; *made = self; if (made_before++ > 2) return runner_fail(host, sink, \"no more\");",
            )],
            &["create"],
            "`create` failed: no more",
        ),
        (
            &[("*output = *inputs[0];", "*output = *inputs[0]; output->dims[0] += self->asked++;")],
            &["shapes"],
            "`output_shape` gave 8x8x4, and then 9x8x4",
        ),
        (
            &[("*output = *inputs[0];", "return runner_fail(host, sink, \"never\");")],
            &["shapes"],
            "takes no shape that was tried",
        ),
        (&[("RUNNER_LAYER_PARAMETERS,", "0,")], &["shapes"], "it has parameters without the flag that says so"),
        (&[("/* forward */", "return runner_fail(host, sink, \"oh\");")], &["evaluation"], "`forward` failed: oh"),
        (&[("/* forward */", "y[count] = 1;")], &["evaluation"], "`forward` wrote past the end of output, by 1 values"),
        (&[("/* forward */", "y[1] = 0.0f / (y[1] - y[1]);")], &["evaluation"], "NaN in output"),
        (&[("/* forward */", "static int calls; y[0] += (float)calls++;")], &["evaluation"], "when computed again"),
        (
            &[("/* forward */", "if (!call->backward_follows) y[0] += 1;")],
            &["evaluation", "training"],
            "when no backward follows",
        ),
        (&[("/* forward */", &random)], &["training"], "RANDOM is not among its flags"),
        (&[("/* forward */", &doubled)], &["training"], "MODES is not among its flags"),
        (
            &[("RUNNER_LAYER_PARAMETERS,", "RUNNER_LAYER_PARAMETERS | RUNNER_LAYER_RANDOM,")],
            &["training"],
            "other random keys change nothing",
        ),
        (&[("dx[i] += self->gain", "dx[i] += 1.05f * self->gain")], &both, "(finite differences), got"),
        (
            &[("dx[i] += self->gain", "dx[i] = self->gain")],
            &["gradients are added"],
            "overwrites instead of adding: gradient of input 0",
        ),
        (
            &[(
                "if (call->parameter_gradients[0]) {",
                "if (call->parameter_gradients[0] && call->input_gradients[0]) {",
            )],
            &["gradients are added"],
            "wanted alone",
        ),
        (
            &[("/* forward */", keeps), ("self->gain * x[i] * dy[i]", "self->gain * self->kept[i] * dy[i]")],
            &["calls are apart"],
            "something is kept outside of the scratch",
        ),
        (
            &[
                ("RUNNER_LAYER_PARAMETERS,", "RUNNER_LAYER_PARAMETERS | RUNNER_LAYER_THREAD_SAFE,"),
                ("/* forward */", together),
            ],
            &["threads"],
            "4 threads with one instance get other values",
        ),
        (&[("free(made);", "(void)made;")], &["memory"], "with each layer that is made, used and destroyed"),
    ];
    for (changes, rows, said) in cases {
        let (text, faulty) = check(changes);
        let found = failed(&text);
        assert!(faulty, "{changes:?}: {text}");
        assert_eq!(found.iter().map(|(row, _)| *row).collect::<Vec<_>>(), rows, "{changes:?}: {text}");
        assert!(found.iter().all(|(_, what)| what.contains(said)), "{changes:?}: {text}");
        assert!(text.contains(&format!("`gain`, {}:\n  {}", rows[0], found[0].1)), "{text}");
        assert!(text.ends_with(&format!("\n{} of 11 checks failed\n", rows.len())), "{text}");
    }
}

/// Nothing can be told after that: but the check that it happened in is on the screen.
#[test]
#[cfg(unix)]
fn a_plugin_that_ends_the_program_does_so_in_the_check_that_is_printed_last() {
    use std::os::unix::process::ExitStatusExt;
    if !has_cc() {
        return;
    }
    let place = changed(&[("RUNNER_LAYER_PARAMETERS,", "RUNNER_LAYER_PARAMETERS | RUNNER_LAYER_FORGETS_INPUTS,")]);
    let output = place.runner(&["plugin", "check", "gain.c", "-v"]).output().unwrap();
    assert_eq!(output.status.signal(), Some(11), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.ends_with("\n  gradients in evaluation  "), "{text}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.trim_end().ends_with("checking `gain`: gradients in evaluation"), "{said}");
}

#[test]
fn layer_arguments_and_shapes_can_be_given() {
    if !has_cc() {
        return;
    }
    let place = changed(&[]);
    let check = |more: &[&str]| place.runner(&[&["plugin", "check", "gain.c"], more].concat()).assert();
    let given = ["--layer", "gain", "--arguments", r#"{"gain": 3}"#, "--input", "2x3x4", "--input", "5"];
    check(&given).success().stdout(contains("shapes                   ok       2 of 2 taken"));
    check(&["--arguments", r#"{"gain": "x"}"#]).code(1).stdout(contains("schema                   failed"));
    check(&["--arguments", r#"{"gain": 1e6}"#]).code(1).stdout(contains("`create` failed: gain is too large"));
    check(&["--input", "4,4"]).code(1).stdout(contains("`output_shape` takes 1 input, not 2"));
    check(&["--layer", "gian"]).code(2).stderr(contains("plugin `test` has no layer `gian`: `gain`"));
    check(&["--arguments", "{"]).code(2).stderr(contains("it is no JSON"));
    check(&["--input", "8x8"]).code(2).stderr(contains("HEIGHTxWIDTHxCHANNELS"));

    let nothing = ("\"examples\\\": [{}, { \\\"gain\\\": -0.5 }]", "\"required\\\": [\\\"name\\\"]");
    let place = changed(&[nothing]);
    let output = place.runner(&["plugin", "check", "gain.c"]).assert().code(2);
    output.stderr(contains("what can `gain` be made of? Its schema has no examples"));
}

#[test]
fn what_is_no_plugin_is_said_to_be_none() {
    let place = Place::new();
    place.write("text.so", "not a library");
    for command in ["check", "list"] {
        let run = |path: &str| place.runner(&["plugin", command, path]).assert().code(2);
        run("nowhere").stderr(contains("plugin nowhere: there is no such file or folder"));
        run("text.so").stderr(contains("no shared library"));
    }
}

#[test]
fn a_plugin_is_listed_with_its_layers_and_their_arguments() {
    if !has_cc() {
        return;
    }
    let place = Place::new();
    let path = repository("plugins/feature_clip");
    let list = |more: &[&str]| {
        let output = place.runner(&[&["plugin", "list", path.to_str().unwrap()], more].concat()).assert().success();
        String::from_utf8(output.get_output().stdout.clone()).unwrap()
    };
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"path .*", "path       [PATH]");
    settings.add_filter(r"[0-9a-f]{64}", "[SHA256]");
    settings.bind(|| insta::assert_snapshot!(list(&[])));

    let json: Value = serde_json::from_str(&list(&["--json"])).unwrap();
    assert_eq!((&json["interface"], &json["sha256"].as_str().unwrap().len()), (&"1.1".into(), &64));
    let layer = &json["layers"][0];
    assert_eq!(layer["flags"], serde_json::json!(["one instance serves several threads", "backward needs no output"]));
    assert_eq!(layer["inputs"], serde_json::json!([1, 1]));
    assert_eq!(layer["devices"], serde_json::json!(["cpu"]));
    assert_eq!(layer["arguments"][1]["name"], "max");
    assert_eq!(layer["schema"]["additionalProperties"], false);
    assert!(layer["documentation"].as_str().unwrap().contains("ends included"));
}
