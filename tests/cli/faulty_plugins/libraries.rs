//! Libraries that are no plugin, or none for this runner.

use crate::plugin_support::{PLAIN, POINTWISE, complaint, has_cc, on_generated, pointwise};
use crate::support::Place;
use std::fs;

/// What is said of the plugin that `spec` names.
fn refusal(place: &Place, spec: &str) -> String {
    place.write("spec.yaml", on_generated(spec));
    let (code, said) = complaint(place, &["check", "spec.yaml"]);
    assert_eq!(code, Some(2), "{said}");
    said
}

/// What is said of the C plugin with a piece of its text replaced; `None` where it cannot be built.
fn refusal_of(changes: &[(&str, &str)]) -> Option<String> {
    let place = Place::new();
    place.write("plugin.c", pointwise(changes));
    has_cc().then(|| refusal(&place, PLAIN))
}

macro_rules! refused {
    ($($name:ident: $($piece:literal => $by:expr),+;)*) => {
        $(#[test]
        fn $name() {
            let Some(said) = refusal_of(&[$(($piece, $by)),+]) else { return };
            insta::assert_snapshot!(stringify!($name), said);
        })*
    };
}

refused! {
    another_major: "RUNNER_ABI_MAJOR," => "RUNNER_ABI_MAJOR + 1,";
    short_table: "sizeof(runner_plugin_table)" => "sizeof(runner_plugin_table) - 8";
    short_layer: "sizeof(runner_layer)" => "sizeof(runner_layer) - 8";
    missing_symbol: "const runner_plugin_table *runner_plugin(" =>
        "const runner_plugin_table *other(const runner_host *given);\nconst runner_plugin_table *other(";
    missing_function: "    .backward = backward,\n" => "", "static runner_status backward(" => "runner_status backward(";
    no_table: "return &table" => "return NULL";
    schema_that_is_none: "\\\"object\\\"" => "\\\"thing\\\"";
    name_of_a_built_in_layer: "NAME \"plain\"" => "NAME \"relu\"";
}

#[test]
fn a_newer_minor_is_fine() {
    if !has_cc() {
        return;
    }
    let place = Place::new();
    let newer = pointwise(&[
        ("RUNNER_ABI_MINOR,", "RUNNER_ABI_MINOR + 1,"),
        ("sizeof(runner_layer)", "sizeof(runner_layer) + 8"),
    ]);
    place.write("plugin.c", newer);
    place.write("spec.yaml", on_generated(PLAIN));
    assert_eq!(complaint(&place, &["check", "spec.yaml"]), (Some(0), String::new()));
}

#[test]
fn two_plugins_with_a_layer_of_one_name() {
    if !has_cc() {
        return;
    }
    let place = Place::new();
    place.write("plugin.c", POINTWISE);
    place.write("again.c", pointwise(&[("\"1.0.0\"", "\"1.0.1\"")]));
    insta::assert_snapshot!(refusal(&place, &PLAIN.replace("[plugin.c]", "[plugin.c, again.c]")));
}

#[test]
fn files_and_folders_that_are_no_plugin() {
    let place = Place::new();
    place.write("text.so", "no library");
    fs::create_dir(place.path().join("empty")).unwrap();
    let said = refusal(&place, &PLAIN.replace("[plugin.c]", "[text.so, empty, nowhere.so]"));
    insta::with_settings!({ filters => vec![(r"(?s)can be loaded: .*?\n   ╭", "can be loaded: REASON\n   ╭")] }, {
        insta::assert_snapshot!(said);
    });
}

#[test]
fn c_that_does_not_compile_is_told_with_the_compilers_words() {
    let Some(said) = refusal_of(&[("y[i] = F(x[i]);", "y[i] = G(x[i]);")]) else { return };
    assert!(said.contains("× plugin plugin.c: `cc` failed:") && said.contains("plugin.c:"), "{said}");
    assert!(said.contains("spec.yaml:3:11") && said.contains("error: implicit declaration"), "{said}");
}

#[test]
fn a_symbol_that_is_nowhere_is_found_before_it_is_called() {
    let changes = [("static const runner_host *host;", "extern float g(float);\nstatic const runner_host *host;")];
    let Some(said) = refusal_of(&[changes[0], ("F(x) (x)", "F(x) g(x)")]) else { return };
    // Where lines break depends on how long the path of the place is.
    let said = said.replace("\n  │ ", " ");
    assert!(
        said.contains("it is no shared library that can be loaded") && said.contains("undefined symbol: g"),
        "{said}"
    );
}

#[test]
fn rust_that_does_not_compile_is_told_with_the_compilers_words() {
    let place = Place::new();
    let manifest = "[package]\nname = \"broken\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"cdylib\"]\n\n[workspace]\n";
    place.write("broken/Cargo.toml", manifest);
    place.write("broken/src/lib.rs", "pub fn one() -> usize {\n    \"two\"\n}\n");
    let said = refusal(&place, &PLAIN.replace("plugin.c", "broken"));
    assert!(said.contains("× plugin broken: `cargo build --release` failed:"), "{said}");
    assert!(said.contains("error[E0308]: mismatched types") && said.contains("src/lib.rs:2:5"), "{said}");

    place.write("broken/Cargo.toml", manifest.replace("[\"cdylib\"]", "[\"rlib\"]"));
    place.write("broken/src/lib.rs", "");
    let said = refusal(&place, &PLAIN.replace("plugin.c", "broken"));
    assert!(said.contains("its crate makes no library"), "{said}");
}

#[test]
fn a_makefile_that_fails_is_told_with_its_words() {
    if !has_cc() || std::process::Command::new("make").arg("--version").output().is_err() {
        return;
    }
    let place = Place::new();
    place.write("made/plugin.c", POINTWISE);
    place.write("made/Makefile", "all:\n\t@echo nothing to be had >&2; false\n");
    let said = refusal(&place, &PLAIN.replace("plugin.c", "made"));
    assert!(said.contains("× plugin made: `make` failed:") && said.contains("nothing to be had"), "{said}");

    place.write("made/Makefile", "all:\n\tcc -shared -fPIC plugin.c -o plugin.so\n");
    place.write("spec.yaml", on_generated(&PLAIN.replace("plugin.c", "made")));
    assert_eq!(complaint(&place, &["check", "spec.yaml"]), (Some(0), String::new()));
}

/// A plugin whose library writes a file as soon as it is loaded.
fn with_constructor(place: &Place) -> String {
    let trace = place.path().join("trace").display().to_string();
    let constructor = format!(
        "__attribute__((constructor)) static void mark(void) {{ FILE *file = fopen(\"{trace}\", \"w\"); if (file) \
         fclose(file); }}\nstatic const runner_host *host;"
    );
    pointwise(&[("static const runner_host *host;", &constructor)])
}

#[test]
fn nothing_of_a_changed_file_runs_where_it_is_pinned() {
    if !has_cc() {
        return;
    }
    let place = Place::new();
    place.write("plugin.c", with_constructor(&place));
    let pinned = format!("\n  - path: plugin.c\n    sha256: {}", "0a".repeat(32));
    let spec = PLAIN.replace(" [plugin.c]", &pinned);
    let said = refusal(&place, &spec);
    assert!(!place.path().join("trace").exists(), "code of the library ran");
    let filters = vec![("[0-9a-f]{64}, and", "SHA256, and")];
    insta::with_settings!({ filters => filters }, { insta::assert_snapshot!(said) });

    // Of the right hash, it runs.
    let (_, rest) = said.split_once("its sha256 is").unwrap();
    let right: String = rest.chars().filter(char::is_ascii_hexdigit).take(64).collect();
    place.write("spec.yaml", on_generated(&spec.replace(&"0a".repeat(32), &right)));
    assert_eq!(complaint(&place, &["check", "spec.yaml"]), (Some(0), String::new()));
    assert!(place.path().join("trace").exists());
}
