//! Broken specs: each is told from the others, in its place, with what to do about it.

use crate::support::Place;

/// A spec that is whole; the tests break it.
const WHOLE: &str = r#"name: medical
seed: 7

data:
  source: { synthetic: blood_cells }
  image: { size: 96, channels: rgb, normalize: backbone }
  split: { train: 0.7, val: 0.15, test: 0.15, stratify: true }
  batch: 32

backbone:
  arch: resnet18

augmentation:
  train:
    - horizontal_flip: 0.5

regularization:
  label_smoothing: 0.05
  early_stopping: { metric: val_loss, patience: 4 }

schedule:
  optimizer: { adamw: { weight_decay: 0.01 } }
  phases:
    - { name: head, epochs: 4, train: [head], lr: 3e-3 }
    - name: top
      epochs: 3
      train: [head, layer4]
      lr: { head: 1e-3, "*": 3e-4 }
"#;

/// The exit code of `runner check SPEC --set ...`, and what it prints as an error.
fn stderr_of(spec: &[u8], sets: &[&str]) -> (Option<i32>, String) {
    let place = Place::new();
    place.write("pipeline.yaml", spec);
    let sets = sets.iter().flat_map(|set| ["--set", set]);
    let args: Vec<&str> = ["check", "pipeline.yaml"].into_iter().chain(sets).collect();
    let output = place.runner(&args).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// `WHOLE` with one piece of text replaced.
fn broken(piece: &str, by: &str) -> String {
    assert_eq!(WHOLE.matches(piece).count(), 1, "{piece:?} is not in the spec just once");
    WHOLE.replace(piece, by)
}

/// `WHOLE` with another schedule.
fn scheduled(schedule: &str) -> String {
    let (before, _) = WHOLE.split_once("schedule:").unwrap();
    format!("{before}schedule:\n{schedule}")
}

macro_rules! broken_specs {
    ($($name:ident: $spec:expr $(, set $($set:literal),+)?;)*) => {
        $(#[test]
        fn $name() {
            let spec = $spec;
            let (code, stderr) = stderr_of(AsRef::<[u8]>::as_ref(&spec), &[$($($set),+)?]);
            insta::assert_snapshot!(stringify!($name), stderr);
            assert_eq!(code, Some(2));
        })*
    };
}

#[test]
fn the_whole_spec_is_whole() {
    assert_eq!(stderr_of(WHOLE.as_bytes(), &[]), (Some(0), String::new()));
}

broken_specs! {
    // Keys
    key_with_typo: broken("regularization:", "regularisation:");
    nested_key_with_typo: broken("      epochs: 3", "      epoch: 3");
    key_of_another_place: broken("  batch: 32", "  batch: 32\n  epochs: 3");
    several_keys_at_once: broken("seed: 7", "sede: 7").replace("      lr: {", "      learning_rate: {").replace("size: 96", "sise: 96");
    duplicate_key: broken("  batch: 32", "  batch: 32\n  batch: 64");
    duplicate_key_inside_brackets: broken("epochs: 4, ", "epochs: 4, lr: 1e-3, ");
    missing_key: broken("  source: { synthetic: blood_cells }\n", "");
    missing_key_in_phase: broken("      train: [head, layer4]\n", "");
    missing_top_level_keys: "name: x\n";
    missing_phase_keys: broken("train: [head], lr: 3e-3 ", "");
    number_as_key: broken("seed: 7", "7: seed");
    key_without_colon: broken("seed: 7", "seed");
    key_without_value: broken("  batch: 32", "  batch:");

    // Values
    enum_value_with_typo: broken("metric: val_loss", "metric: val_los");
    enum_value_unknown: broken("metric: val_loss", "metric: 4");
    channels_of_images_that_have_others: broken("channels: rgb", "channels: 4");
    architecture_with_typo: broken("arch: resnet18", "arch: resnet8");
    source_without_kind: broken("source: { synthetic: blood_cells }", "source: blood_cells");
    source_of_unknown_kind: broken("source: { synthetic: blood_cells }", "source: { foldr: images }");
    device_gpu: broken("seed: 7", "device: gpu");
    text_for_a_number: broken("epochs: 3", "epochs: three");
    quoted_number: broken("lr: 3e-3", "lr: \"3e-3\"");
    fraction_for_a_count: broken("epochs: 3", "epochs: 4.5");
    negative_count: broken("epochs: 3", "epochs: -3");
    text_for_a_list: broken("train: [head]", "train: head");
    number_for_a_name: broken("name: top", "name: 2");
    yes_for_true: broken("stratify: true", "stratify: yes");
    list_for_a_map: broken("  image: { size: 96, channels: rgb, normalize: backbone }", "  image:\n    - size: 96");
    size_of_three: broken("size: 96", "size: [96, 96, 3]");
    wrong_values_at_once: broken("seed: 7", "seed: x").replace("batch: 32", "batch: 1.5").replace("lr: 3e-3", "lr: fast")
        .replace("0.7", "most").replace("epochs: 3", "epochs: many");

    // Catalogues
    unknown_augmentation: broken("horizontal_flip: 0.5", "horizontal_flop: 0.5");
    unknown_augmentation_without_argument: broken("horizontal_flip: 0.5", "horizontal_filp");
    augmentation_without_argument: broken("horizontal_flip: 0.5", "horizontal_flip");
    augmentation_with_text: broken("horizontal_flip: 0.5", "horizontal_flip: often");
    two_names_in_one_entry: broken("    - horizontal_flip: 0.5", "    - horizontal_flip: 0.5\n      vertical_flip: 0.5");
    unknown_optimizer: broken("adamw:", "adam:");
    unknown_optimizer_setting: broken("weight_decay: 0.01", "weight_decy: 0.01");
    layer_without_needed_argument: broken("  arch: resnet18", "  arch: resnet18\nhead:\n  - conv2d");
    layer_without_needed_key: broken("  arch: resnet18", "  arch: resnet18\nhead:\n  - conv2d: {}");

    // What must hold within a spec
    learning_rate_negative: broken("lr: 3e-3", "lr: -3e-3");
    learning_rate_not_a_number: broken("head: 1e-3", "head: .nan");
    learning_rate_infinite: broken("head: 1e-3", "head: .inf");
    split_sums_wrong: broken("val: 0.15", "val: 0.25");
    share_out_of_range: broken("train: 0.7", "train: 1.7");
    backbone_and_layers: broken("augmentation:", "layers:\n  - relu\n\naugmentation:");
    neither_backbone_nor_layers: broken("backbone:\n  arch: resnet18\n", "");
    no_phases: WHOLE.split("    - { name: head").next().unwrap().replace("phases:", "phases: []");
    phases_missing: WHOLE.split("  phases:").next().unwrap();
    phase_without_epochs: broken("epochs: 4", "epochs: 0");
    phase_that_trains_nothing: broken("train: [head]", "train: []");
    phases_of_one_name: broken("name: top", "name: head");
    phases_given_twice: format!("{WHOLE}  gradual_unfreeze: {{ every: 2, stages: [head, layer4], lr: 1e-3 }}\n");
    layer_decay_without_top: broken("lr: 3e-3", "lr: { layer_decay: 0.75 }");
    layer_decay_beside_a_group: broken("head: 1e-3", "head: 1e-3, layer_decay: 0.75");
    scheduler_with_typo: broken("lr: 3e-3", "lr: 3e-3, scheduler: { cosin: { min: 0.1 } }");
    scheduler_without_needed_argument: broken("lr: 3e-3", "lr: 3e-3, scheduler: exponential");
    phase_of_no_length: broken("epochs: 4, ", "");
    phase_that_may_never_end: broken("epochs: 4", "until: { plateau: { patience: 2 } }");
    phase_that_ends_by_no_bound: broken("epochs: 4", "epochs: 4, until: { metric: val_accuracy, abve: 0.9 }");
    warm_up_that_takes_the_phase: broken("epochs: 4", "epochs: 4, warm_up: { epochs: 4 }");
    shorthand_without_epochs: scheduled("  lr: 1e-3\n  freeze_to: -2\n");
    freeze_to_more_than_there_is: scheduled("  epochs: 3\n  lr: 1e-3\n  freeze_to: -9\n");
    frozen_stages_that_are_all: scheduled("  epochs: 3\n  lr: 1e-3\n  frozen_stages: 6\n");
    unfreeze_at_an_epoch_that_is_not: scheduled("  epochs: 3\n  lr: 1e-3\n  unfreeze_at: { 4: layer4 }\n");
    unfreeze_at_a_word: scheduled("  epochs: 3\n  lr: 1e-3\n  unfreeze_at: { third: layer4 }\n");
    unfreeze_a_stage_with_typo: scheduled("  epochs: 3\n  lr: 1e-3\n  unfreeze_at:\n    2: layr4\n");
    progressive_freezing_with_typo: scheduled("  progressive_freezing: { every: 1, stages: [stme], lr: 1e-3 }\n");
    name_that_is_a_path: broken("name: medical", "name: ../medical");
    image_of_no_size: broken("size: 96", "size: 0");
    normalization_of_two_channels: broken("normalize: backbone", "normalize: { custom: { mean: [0.5, 0.5], std: [0.2, 0.2] } }");
    many_values_out_of_range: broken("batch: 32", "batch: 0").replace("patience: 4", "patience: 0").replace("0.05", "1.0")
        .replace("3e-4", "0");

    // What must hold between the spec, the net and the files
    stage_with_typo: broken("train: [head, layer4]", "train: [head, layr4]");
    stage_of_another_net: broken("train: [head, layer4]", "train: [head, blocks.13]");
    pattern_that_matches_nothing: broken("train: [head, layer4]", "train: [head, \"re:layer9\\\\..*\"]");
    range_that_matches_nothing: broken("train: [head, layer4]", "train: [head, layer5-9]");
    groups_that_overlap: broken("train: [head, layer4]", "train: [head, layer4, \"re:layer4\\\\..*\"]");
    learning_rate_of_no_group: broken("lr: { head: 1e-3,", "lr: { haed: 1e-3, head: 1e-3,");
    learning_rate_missing_for_a_group: broken(", \"*\": 3e-4", "");
    weights_file_missing: broken("arch: resnet18", "arch: resnet18\n  weights: assets/resnet18.safetensors");
    size_that_does_not_fit: broken("arch: resnet18", "arch: inception_v3").replace("size: 96", "size: 32").replace("[head, layer4]", "[head]");
    layer_that_does_not_fit: broken("  arch: resnet18", "  arch: resnet18\nhead:\n  - conv2d: { out: 8, kernel: 9 }\n  - flatten\n  - linear: { out: classes }");
    data_set_unknown: broken("{ synthetic: blood_cells }", "{ dataset: blood_cels }");
    probability_out_of_range: broken("horizontal_flip: 0.5", "horizontal_flip: 1.5");
    everything_at_once: broken("train: [head, layer4]", "train: [head, layr4]").replace("batch: 32", "batch: 0")
        .replace("horizontal_flip: 0.5", "horizontal_flip: 1.5").replace("arch: resnet18", "arch: resnet18\n  weights: gone.pth");

    // Changes of a backbone
    insert_that_is_a_text: broken("arch: resnet18", "arch: resnet18\n  insert: dropout");
    insert_without_layer: broken("arch: resnet18", "arch: resnet18\n  insert: { after: layer3 }");
    insert_in_a_list_without_place: broken("arch: resnet18", "arch: resnet18\n  insert:\n    - layer: { dropout: 0.2 }");
    insert_of_an_unknown_layer: broken("arch: resnet18", "arch: resnet18\n  insert:\n    - after: layer3\n      layer: { dropuot: 0.2 }");
    insert_with_typo: broken("arch: resnet18", "arch: resnet18\n  insert: { after: layr3, layer: { dropout: 0.2 } }");
    insert_after_a_block: broken("arch: resnet18", "arch: resnet18\n  insert: { after: layer3.0, layer: { dropout: 0.2 } }");
    insert_after_a_layer_of_another_net: broken("arch: resnet18", "arch: resnet18\n  insert: { after: mixed_5b, layer: { dropout: 0.2 } }");
    tap_with_typo: broken("arch: resnet18", "arch: resnet18\n  features: layr3");
    tap_before_what_trains: broken("arch: resnet18", "arch: resnet18\n  features: layer3");
    tap_before_a_change: broken("arch: resnet18", "arch: resnet18\n  features: layer2\n  insert: { after: layer3, layer: relu }");
    head_with_typo: broken("augmentation:", "head: { linear_svn: { c: 1 } }\n\naugmentation:");
    head_with_arguments_out_of_range: broken("augmentation:", "head: { logistic: { c: 0, max_iterations: 0 } }\n\naugmentation:");
    convert_fc_of_a_net_without: broken("augmentation:", "head: { convert_fc: true }\n\naugmentation:");
    convert_fc_of_small_images: broken("arch: resnet18", "arch: vgg11\n\nhead: { convert_fc: true }");
    schedule_missing: WHOLE.split_once("schedule:").unwrap().0.to_owned();
    insert_after_the_head: broken("arch: resnet18", "arch: resnet18\n  insert: { after: head, layer: { dropout: 0.2 } }");
    insert_that_joins: broken("arch: resnet18", "arch: resnet18\n  insert: { after: layer3, layer: { add: { with: [0] } } }");
    insert_that_does_not_fit: broken("arch: resnet18", "arch: resnet18\n  insert:\n    - { after: layer3, layer: { dropout: 0.2 } }\n    - { after: layer4, layer: { linear: { out: 9 } } }");
    insert_that_a_later_layer_does_not_fit: broken("arch: resnet18", "arch: resnet18\n  insert: { after: layer1.0.bn2, layer: { max_pool: { size: 2 } } }");
    insert_that_the_usual_head_does_not_fit: broken("arch: resnet18", "arch: resnet18\n  insert: { after: layer4, layer: flatten }");
    replaced_layer_with_typo: broken("arch: resnet18", "arch: resnet18\n  replace: { max_pool: { max_pool: { size: 2 } } }");
    replaced_stage: broken("arch: resnet18", "arch: resnet18\n  replace:\n    stem: { max_pool: { size: 2 } }");
    replaced_head: broken("arch: resnet18", "arch: resnet18\n  replace: { head.1: { linear: { out: 3 } } }");
    replaced_twice: broken("arch: resnet18", "arch: resnet18\n  replace: { relu: silu, relu: relu6 }");
    replacement_that_does_not_fit: broken("arch: resnet18", "arch: resnet18\n  replace:\n    layer1.0.add: relu");
    replacement_of_other_inputs: broken("arch: resnet18", "arch: resnet18\n  replace:\n    maxpool: { concat: { with: [0] } }");

    // Text that is no spec
    tab_indentation: broken("  arch:", "\tarch:");
    tab_after_good_lines: broken("  batch: 32", "\tbatch: 32");
    tab_after_colon: broken("  batch: 32", "  batch:\t32");
    tab_before_the_problem: broken("name: head,", "name: \"the\thead\",").replace("epochs: 4", "epochs: many");
    empty_file: "";
    blank_file: "\n\n   \n";
    only_comments: "# name: medical\n# seed: 7\n";
    nested_lists_of_10_mb: "[".repeat(10 << 20);
    nested_lists_of_10_mb_by_line: "[\n".repeat(5 << 20);
    nested_lists_in_block_style: "- ".repeat(100);
    larger_than_a_spec: format!("# {}\n{WHOLE}", "x".repeat(2 << 20));
    binary_file: b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    binary_after_text: [b"name: x\nseed: 7\n".as_slice(), b"\xff\xfe\0".as_slice()].concat();
    latin_1: b"name: caf\xe9\n";
    utf_16: b"\xff\xfen\0a\0m\0e\0";
    unterminated_quote: broken("name: medical", "name: \"medical");
    unterminated_bracket: broken("train: [head]", "train: [head");
    unterminated_brace: broken("lr: 3e-3 }", "lr: 3e-3");
    unterminated_bracket_at_the_end: "name: [x, y\n";
    missing_comma: broken("val: 0.15,", "val: 0.15");
    unknown_alias: broken("train: [head, layer4]", "train: *all");
    star_without_quotes: broken("\"*\"", "*");
    aliases_that_explode: "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n\
        c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n";
    alias_inside_of_itself: "name: &a [*a]\n";
    two_documents: format!("{WHOLE}---\nname: another\n");
    a_list_at_the_top: "- name: medical\n- seed: 7\n";
    a_text_at_the_top: "medical\n";
    a_tag: broken("seed: 7", "seed: !int 7");
    wrong_indentation: broken("      epochs: 3", "     epochs: 3");
    two_colons_in_a_line: broken("name: medical", "name: medical: net");
    windows_line_ends: broken("epochs: 3", "epochs: three").replace('\n', "\r\n");
    byte_order_mark: format!("\u{feff}{}", broken("name: medical", "nmae: medical"));
    letters_wider_than_a_byte: broken("name: medical", "name: médicale # é\nsched: ü");
    problem_far_into_a_long_line: broken("name: head", &format!("name: {}, epoks: 3", "x".repeat(300)));
    more_problems_than_are_shown: broken("  batch: 32", &(0..25).map(|i| format!("  key{i}: 1\n")).collect::<String>());

    // Values of --set
    set_unknown_key: WHOLE, set "schedule.phase.0.epochs=1";
    set_unknown_nested_key: WHOLE, set "data.image.widht=3";
    set_wrong_value: WHOLE, set "schedule.phases.0.epochs=many";
    set_value_out_of_range: WHOLE, set "seed=3", "schedule.phases.1.lr.head=-1";
    set_entry_that_is_not_there: WHOLE, set "schedule.phases.2.epochs=1";
    set_key_of_a_list: WHOLE, set "schedule.phases.top.epochs=1";
    set_key_of_a_value: WHOLE, set "seed.low=1";
    set_without_value: WHOLE, set "schedule.phases.0.epochs";
    set_without_key: WHOLE, set "schedule..epochs=1";
    set_text_that_is_no_yaml: WHOLE, set "data.batch=[1";
}
