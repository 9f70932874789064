//! Specs that use plugins wrongly: each is told in its place.

use crate::plugin_support::{GATE, POINTWISE, complaint, has_cc};
use crate::support::Place;

const WHOLE: &str = r#"name: gated
plugins:
  load: [gate.c, plugin.c]
  guard: false
data:
  source: { synthetic: blood_cells }
  image: { size: 16 }
layers:
  - conv2d: { out: 8, kernel: 3, stride: 2, padding: 1 }
  - plain
  - gate:
      with: [0]
      scale: 0.5
      decay: true
  - relu
head:
  - global_avg_pool
  - linear: { out: classes }
schedule:
  phases:
    - { name: all, epochs: 1, train: [layers.2, "*"], lr: 1e-2 }
"#;

/// `WHOLE` on a backbone that layers of the plugins are put into.
const BACKBONE: &str = r"  insert: { after: layer3, layer: plain }
  replace:
    maxpool: plain
";

fn on_backbone() -> String {
    let (begin, rest) = WHOLE.split_once("layers:").unwrap();
    let (_, end) = rest.split_once("head:").unwrap();
    format!("{begin}backbone:\n  arch: resnet18\n{BACKBONE}head:{end}")
        .replace("size: 16", "size: 64")
        .replace("layers.2, ", "")
}

fn stderr_of(spec: &str, sets: &[&str]) -> (Option<i32>, String) {
    let place = Place::new();
    place.write("gate.c", GATE);
    place.write("plugin.c", POINTWISE);
    place.write("pipeline.yaml", spec);
    let sets = sets.iter().flat_map(|set| ["--set", set]);
    complaint(&place, &["check", "pipeline.yaml"].into_iter().chain(sets).collect::<Vec<_>>())
}

fn broken(whole: &str, piece: &str, by: &str) -> String {
    assert_eq!(whole.matches(piece).count(), 1, "{piece:?} is not in the spec just once");
    whole.replace(piece, by)
}

#[test]
fn the_whole_specs_are_whole() {
    if has_cc() {
        assert_eq!(stderr_of(WHOLE, &[]), (Some(0), String::new()));
        assert_eq!(stderr_of(&on_backbone(), &[]), (Some(0), String::new()));
    }
}

macro_rules! broken_specs {
    ($($name:ident: $spec:expr $(, set $($set:literal),+)?;)*) => {
        $(#[test]
        fn $name() {
            if !has_cc() {
                return;
            }
            let (code, stderr) = stderr_of(AsRef::<str>::as_ref(&$spec), &[$($($set),+)?]);
            insta::assert_snapshot!(stringify!($name), stderr);
            assert_eq!(code, Some(2));
        })*
    };
}

broken_specs! {
    argument_with_typo: broken(WHOLE, "scale:", "scael:");
    argument_of_no_layer: broken(WHOLE, "  - plain", "  - plain: { size: 3 }");
    argument_of_wrong_type: broken(WHOLE, "scale: 0.5", "scale: much");
    argument_out_of_range: broken(WHOLE, "scale: 0.5", "scale: 10.5");
    argument_missing: broken(WHOLE, "      scale: 0.5\n", "");
    arguments_that_are_none: broken(WHOLE, "  - plain", "  - plain: 7");
    arguments_wrong_at_once: broken(WHOLE, "scale: 0.5", "scale: -11").replace("decay: true", "decay: 1").replace("  - plain", "  - plain: { p: 1 }");
    layer_with_typo: broken(WHOLE, "  - plain", "  - plian");
    layer_with_typo_of_a_built_in: broken(WHOLE, "  - plain", "  - batch_nrom");
    layer_of_nobody: broken(WHOLE, "  - plain", "  - wavelet");
    layer_of_a_plugin_that_is_not_loaded: broken(WHOLE, ", plugin.c", "");
    too_few_inputs: broken(WHOLE, "      with: [0]\n", "");
    too_many_inputs: broken(WHOLE, "with: [0]", "with: [0, 1]").replace("  - plain", "  - plain\n  - plain").replace("[layers.2,", "[layers.3,");
    input_of_another_shape: broken(WHOLE, "  - plain", "  - max_pool: { size: 2 }");
    input_from_below: broken(WHOLE, "with: [0]", "with: [3]");
    inserted_argument_of_no_layer: broken(&on_backbone(), "layer: plain", "layer: { plain: { size: 3 } }");
    inserted_layer_with_typo: broken(&on_backbone(), "layer: plain", "layer: pliant");
    inserted_layer_that_joins: broken(&on_backbone(), "layer: plain", "layer: { gate: { scale: 1 } }");
    replacement_with_typo: broken(&on_backbone(), "maxpool: plain", "maxpool: plane");
    replacement_with_argument_of_wrong_type: broken(&on_backbone(), "maxpool: plain", "maxpool: { gate: { scale: [] } }");
    two_plugins_at_once: broken(WHOLE, "[gate.c, plugin.c]", "[gate.c, gate.c, nowhere.so]");
    plugins_with_typo: broken(WHOLE, "guard:", "gaurd:");
    plugins_that_are_a_text: broken(WHOLE, "plugins:\n  load: [gate.c, plugin.c]\n  guard: false", "plugins: gate.c");
    set_argument_out_of_range: WHOLE, set "layers.2.gate.scale=11";
    set_plugin_that_is_not_there: WHOLE, set "plugins.load.1=nowhere.c";
    pin_that_is_no_hash: WHOLE, set "plugins.load.0={path: gate.c, sha256: xyz}";
}
