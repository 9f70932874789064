//! Layers that fail while planning and while training.

use crate::plugin_support::{PLAIN, complaint, faulty_library, has_cc, on_generated, place_with, pointwise};
use crate::support::{Place, of_kind, two_colours};
use predicates::str::contains;

/// `PLAIN` with the layer `faulty` and these arguments.
fn faulty(arguments: &str) -> String {
    let library = faulty_library().display().to_string();
    PLAIN.replace("plugin.c", &library).replace("- plain", &format!("- faulty: {{ {arguments} }}"))
}

/// What is said of a faulty layer when it is planned.
fn refusal(arguments: &str) -> String {
    let place = Place::new();
    place.write(
        "spec.yaml",
        on_generated(&faulty(arguments)).replace(&faulty_library().display().to_string(), "libfaulty"),
    );
    std::fs::copy(faulty_library(), place.path().join("libfaulty")).unwrap();
    let (code, said) = complaint(&place, &["check", "spec.yaml"]);
    assert_eq!(code, Some(2), "{said}");
    said
}

macro_rules! refused {
    ($($name:ident: $arguments:literal;)*) => {
        $(#[test]
        fn $name() {
            insta::with_settings!({ filters => vec![(r"lib\.rs:\d+", "lib.rs:LINE")] }, {
                insta::assert_snapshot!(stringify!($name), refusal($arguments));
            });
        })*
    };
}

refused! {
    create_panics: "at: create, how: panic";
    create_fails: "at: create, how: error";
    output_shape_panics: "at: output_shape, how: panic";
    output_shape_fails: "at: output_shape, how: error";
    output_shape_gives_none: "at: output_shape, how: shape";
    parameters_panics: "at: parameters, how: panic";
    parameters_gives_no_name: "at: parameters, how: error";
    parameters_gives_an_empty_shape: "at: parameters, how: shape";
    function_that_is_none: "at: forwrad, how: panic";
}

/// Trains with the layer `faulty`, which fails in the second epoch, and checks what is left; gives the
/// reason.
///
/// Four steps are an epoch.
fn failure(arguments: &str) -> String {
    let place = Place::new();
    two_colours(&place, "images", 40);
    place.write("spec.yaml", faulty(arguments));
    let (code, said) = complaint(&place, &["spec.yaml", "--run-dir", "run"]);
    // Nothing unwinds into the runner, and no signal ends it.
    assert_eq!(code, Some(1), "{said}");
    let events = place.events("run");
    let failed = events.last().unwrap();
    assert_eq!(failed["event"], "run_failed");
    let reason = failed["reason"].as_str().unwrap().to_owned();
    assert_eq!(said.lines().next(), Some(format!("error: {reason}").as_str()));
    assert!(!said.contains("panicked at"), "no panic of its own is printed: {said}");

    // The first epoch was whole, and its weights can be used.
    let epochs: Vec<_> = of_kind(&events, "epoch_finished").collect();
    assert_eq!((epochs.len(), &epochs[0]["step"]), (1, &4.into()), "{reason}");
    let step = failed["step"].as_u64().unwrap();
    assert!((4..8).contains(&step), "{step}");
    place.runner(&["evaluate", "run"]).assert().success().stdout(contains("accuracy"));
    reason
}

#[test]
fn a_panic_in_forward_is_named_and_the_checkpoint_kept() {
    let reason = failure("at: forward, how: panic, after: 6");
    let begin = "layer `layers.1`: plugin `faulty`, layer `faulty`: `forward` panicked: nothing works today (";
    assert!(reason.starts_with(begin) && reason.contains("lib.rs:"), "{reason}");
}

#[test]
fn an_error_in_forward_is_named_and_the_checkpoint_kept() {
    let reason = failure("at: forward, how: error, after: 4");
    assert_eq!(reason, "layer `layers.1`: plugin `faulty`, layer `faulty`: `forward` failed: nothing works today");
}

#[test]
fn a_panic_in_backward_is_named_and_the_checkpoint_kept() {
    let reason = failure("at: backward, how: panic, after: 5");
    let begin = "layer `layers.1`: plugin `faulty`, layer `faulty`: `backward` panicked: nothing works today (";
    assert!(reason.starts_with(begin) && reason.contains("lib.rs:"), "{reason}");
}

#[test]
fn an_error_in_backward_is_named_and_the_checkpoint_kept() {
    let reason = failure("at: backward, how: error, after: 7");
    assert_eq!(reason, "layer `layers.1`: plugin `faulty`, layer `faulty`: `backward` failed: nothing works today");
}

/// The exit code of a run with the layer `faulty`, and what it says.
fn run_of(arguments: &str) -> (Option<i32>, String) {
    let place = Place::new();
    two_colours(&place, "images", 20);
    place.write("spec.yaml", faulty(arguments));
    complaint(&place, &["spec.yaml", "--run-dir", "run"])
}

#[test]
fn functions_that_cannot_say_that_they_fail_are_named_too() {
    let (code, said) = run_of("at: scratch_bytes, how: panic");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("plugin `faulty`, layer `faulty`: `forward` panicked: nothing works today"), "{said}");

    let (code, said) = run_of("at: scratch_bytes, how: error");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("layer `faulty`: `scratch_bytes` asks for 18446744073709551615 bytes"), "{said}");

    // What is only shown, and what comes after all else, stops nothing.
    for function in ["multiply_adds", "destroy"] {
        let (code, said) = run_of(&format!("at: {function}, how: panic"));
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("faulty: ") && said.contains("nothing works today"), "{said}");
    }
}

#[test]
fn a_shape_that_changes_after_planning_is_no_surprise() {
    let place = Place::new();
    two_colours(&place, "images", 20);
    // Asked for when planned; then by the runner and by the SDK for each pass.
    place.write("spec.yaml", faulty("at: output_shape, how: other_shape, after: 8"));
    let (code, said) = complaint(&place, &["spec.yaml", "--run-dir", "run"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("layer `layers.1`") && said.contains("`faulty`") && said.contains("(8, 9, 8)"), "{said}");
}

#[test]
fn a_shape_of_another_size_in_c_is_named() {
    if !has_cc() {
        return;
    }
    let growing = "static int calls; *output = *inputs[0]; if (calls++ > 3) output->dims[0] += 1;";
    let place = place_with(&pointwise(&[
        ("*output = *inputs[0];", growing),
        ("runner_count(call->output);", "runner_count(call->inputs[0]);"),
    ]));
    place.write("spec.yaml", PLAIN);
    let (code, said) = complaint(&place, &["spec.yaml", "--run-dir", "run"]);
    assert_eq!(code, Some(1), "{said}");
    let expected =
        "error: layer `layers.1`: `plain` of plugin `plain` gave an output of [9, 8, 8], and [8, 8, 8] was planned";
    assert!(said.starts_with(expected), "{said}");
}

#[test]
fn scratch_that_is_not_there_is_an_error() {
    if !has_cc() {
        return;
    }
    let place = place_with(&pointwise(&[
        ("    .forward = forward,\n", "    .scratch_bytes = scratch_bytes,\n    .forward = forward,\n"),
        (
            "static runner_status forward(",
            "static uint64_t scratch_bytes(void *self, const runner_shape *const *inputs, size_t count, int64_t batch) {\n\
             (void)self, (void)inputs, (void)count, (void)batch; return (uint64_t)1 << 40; }\n\
             static runner_status forward(",
        ),
    ]));
    place.write("spec.yaml", PLAIN);
    let (code, said) = complaint(&place, &["spec.yaml", "--run-dir", "run"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("error: layer `layers.1`: there is no memory for 1099511627776 bytes of scratch"), "{said}");
}

#[test]
fn guard_names_what_is_written_beside_and_what_is_not_written() {
    if !has_cc() {
        return;
    }
    for (place, code, said) in [
        ("/* forward */", "y[count + 2] = 1;", "`forward` wrote past the end of output, by 3 values"),
        ("/* forward */", "((float *)x)[0] = 3;", "`forward` changed input 0[0, 0, 0, 0], which is only to be read"),
        ("y[i] = F(x[i]);", "if (i != 9) y[i] = F(x[i]);", "`forward` did not write output[0, 0, 1, 1]"),
        ("/* forward */", "y[1] = NAN;", "`forward` gave NaN in output[0, 0, 0, 1]"),
        (
            "/* backward */",
            "runner_values(call->input_gradients[0])[count] = 1;",
            "`backward` wrote past the end of gradient of input 0, by 1 values",
        ),
        (
            "/* backward */",
            "runner_values(call->input_gradients[0])[64] = INFINITY;",
            "`backward` gave inf in gradient of input 0[0, 1, 0, 0]",
        ),
    ] {
        let folder = place_with(&pointwise(&[(place, code)]));
        folder.write("spec.yaml", PLAIN.replace(" [plugin.c]", "\n  load: [plugin.c]\n  guard: true"));
        let (code, stderr) = complaint(&folder, &["spec.yaml", "--run-dir", "run"]);
        assert_eq!(code, Some(1), "{stderr}");
        assert_eq!(stderr, format!("error: layer `layers.1`: plugin `plain`, layer `plain`: {said}\n"));
        assert_eq!(folder.events("run").last().unwrap()["event"], "run_failed");
    }
}
