//! A loss that is no number: where it comes from is named.

use crate::plugin_support::{PLAIN, complaint, faulty_library, has_cc, place_with, pointwise};
use crate::support::{Place, two_colours};

/// The first line that a run says, which ends because its loss is no number.
fn said_of(place: &Place, spec: &str) -> String {
    place.write("spec.yaml", spec);
    let (code, said) = complaint(place, &["spec.yaml", "--run-dir", "run"]);
    assert_eq!(code, Some(1), "{said}");
    let failed = place.events("run").pop().unwrap();
    assert_eq!(failed["event"], "run_failed");
    assert_eq!(said.lines().next(), Some(format!("error: {}", failed["reason"].as_str().unwrap()).as_str()));
    said
}

#[test]
fn nan_of_a_plugin_is_named_without_guard() {
    let place = Place::new();
    two_colours(&place, "images", 40);
    let library = faulty_library().display().to_string();
    let spec = PLAIN.replace("plugin.c", &library).replace("- plain", "- faulty: { at: forward, how: nan, after: 5 }");
    let said = said_of(&place, &spec);
    let expected = "error: the loss became NaN at step 6 (epoch 2, phase `all`), first in the output of `layers.1` (layer \
                    `faulty` of plugin `faulty`); in the step before, group `*` had the largest gradient";
    assert!(said.starts_with(expected), "{said}");
    assert!(said.contains("guard: true"), "{said}");
}

#[test]
fn the_first_of_several_layers_is_named() {
    if !has_cc() {
        return;
    }
    let place = place_with(&pointwise(&[("F(x) (x)", "F(x) (0.0f / ((x) - (x)))")]));
    let said = said_of(&place, &PLAIN.replace("  - relu", "  - plain\n  - relu"));
    assert!(
        said.contains("at step 1 (epoch 1, phase `all`), first in the output of `layers.1` (layer `plain` of"),
        "{said}"
    );
}

#[test]
fn a_learning_rate_that_is_too_high_is_seen_where_it_strikes_first() {
    if !has_cc() {
        return;
    }
    let place = place_with(&pointwise(&[]));
    // Without norms that hold the values down, products of large weights overflow in the last layer.
    let spec = PLAIN.replace("  - batch_norm\n", "").replace("lr: 1e-2", "lr: 1e25");
    let said = said_of(&place, &spec);
    assert!(said.contains("at step 2 (epoch 1, phase `all`), first in the output of `head.1` (linear)"), "{said}");
    assert!(said.contains("lower that group's learning rate"), "{said}");
}

#[test]
fn what_backward_spoils_is_found_in_the_parameter() {
    let place = Place::new();
    two_colours(&place, "images", 40);
    let library = faulty_library().display().to_string();
    let spec = PLAIN.replace("plugin.c", &library).replace("- plain", "- faulty: { at: backward, how: nan, after: 2 }");
    let said = said_of(&place, &spec);
    let expected = "the loss became NaN at step 4 (epoch 1, phase `all`), first in the parameter `layers.0.weight`; in the \
                    step before, group `*` had the largest gradient (norm NaN)";
    assert!(said.contains(expected), "{said}");
}
