//! Holds the Rust mirror against the header, as a C compiler reads it.

use runner_plugin_abi as abi;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// The offsets of all members of the mirrored structs, by name, and a C program that prints those of
/// the header in the same form.
#[derive(Default)]
struct Layouts {
    ours: String,
    program: String,
}

impl Layouts {
    fn add(&mut self, name: &str, value: usize, expression: &str) {
        writeln!(self.ours, "{name} {value}").unwrap();
        writeln!(self.program, "    printf(\"{name} %zu\\n\", (size_t)({expression}));").unwrap();
    }
}

/// Adds a struct with all of its members: one that is left out here does not compile.
macro_rules! layout {
    ($layouts:ident, $c:literal, $ours:path { $($member:ident),* $(,)? }) => {
        let _exhaustive = |all: $ours| { let $ours { $($member: _),* } = all; };
        $layouts.add($c, size_of::<$ours>(), concat!("sizeof(", $c, ")"));
        $($layouts.add(
            concat!($c, ".", stringify!($member)),
            std::mem::offset_of!($ours, $member),
            concat!("offsetof(", $c, ", ", stringify!($member), ")"),
        );)*
    };
}

macro_rules! constants {
    ($layouts:ident, $($c:literal = $ours:path),* $(,)?) => {
        $($layouts.add($c, usize::try_from($ours).unwrap(), $c);)*
    };
}

fn layouts() -> Layouts {
    let mut all = Layouts::default();
    layout!(all, "DLDevice", abi::DlDevice { device_type, device_id });
    layout!(all, "DLDataType", abi::DlDataType { code, bits, lanes });
    layout!(all, "DLTensor", abi::DlTensor { data, device, ndim, dtype, shape, strides, byte_offset });
    layout!(all, "runner_shape", abi::Shape { size, rank, dims });
    layout!(
        all,
        "runner_parameter",
        abi::Parameter { size, name, rank, dims, init, a, b, weight_decay, fan_in, fan_out }
    );
    layout!(
        all,
        "runner_host",
        abi::Host { size, abi_major, abi_minor, version, log, fail, add_parameter, parallel_for, json_number }
    );
    layout!(
        all,
        "runner_forward",
        abi::Forward {
            size,
            mode,
            backward_follows,
            batch,
            keys,
            inputs,
            input_count,
            parameters,
            parameter_count,
            output,
            scratch,
            scratch_bytes,
            stream,
        }
    );
    layout!(
        all,
        "runner_backward",
        abi::Backward {
            size,
            mode,
            reserved,
            batch,
            keys,
            inputs,
            input_count,
            parameters,
            parameter_count,
            output,
            output_gradient,
            input_gradients,
            parameter_gradients,
            scratch,
            scratch_bytes,
            stream,
        }
    );
    layout!(
        all,
        "runner_layer",
        abi::Layer {
            size,
            name,
            documentation,
            schema,
            flags,
            devices,
            min_inputs,
            max_inputs,
            create,
            destroy,
            output_shape,
            parameters,
            scratch_bytes,
            multiply_adds,
            forward,
            backward,
        }
    );
    layout!(all, "runner_plugin_table", abi::Table { size, abi_major, abi_minor, name, version, layer_count, layers });
    constants!(
        all,
        "RUNNER_ABI_MAJOR" = abi::ABI_MAJOR,
        "RUNNER_ABI_MINOR" = abi::ABI_MINOR,
        "RUNNER_MAX_RANK" = abi::MAX_RANK,
        "RUNNER_OK" = abi::OK,
        "RUNNER_ERROR" = abi::ERROR,
        "RUNNER_PANIC" = abi::PANIC,
        "RUNNER_EVALUATION" = abi::EVALUATION,
        "RUNNER_TRAINING" = abi::TRAINING,
        "RUNNER_LOG_ERROR" = abi::LOG_ERROR,
        "RUNNER_LOG_WARN" = abi::LOG_WARN,
        "RUNNER_LOG_INFO" = abi::LOG_INFO,
        "RUNNER_LOG_DEBUG" = abi::LOG_DEBUG,
        "RUNNER_INIT_CONSTANT" = abi::INIT_CONSTANT,
        "RUNNER_INIT_UNIFORM" = abi::INIT_UNIFORM,
        "RUNNER_INIT_NORMAL" = abi::INIT_NORMAL,
        "RUNNER_INIT_WEIGHT" = abi::INIT_WEIGHT,
        "RUNNER_LAYER_PARAMETERS" = abi::LAYER_PARAMETERS,
        "RUNNER_LAYER_MODES" = abi::LAYER_MODES,
        "RUNNER_LAYER_RANDOM" = abi::LAYER_RANDOM,
        "RUNNER_LAYER_THREAD_SAFE" = abi::LAYER_THREAD_SAFE,
        "RUNNER_LAYER_FORGETS_INPUTS" = abi::LAYER_FORGETS_INPUTS,
        "RUNNER_LAYER_FORGETS_OUTPUT" = abi::LAYER_FORGETS_OUTPUT,
        "RUNNER_DEVICE_CPU" = abi::DEVICE_CPU,
        "RUNNER_DEVICE_CUDA" = abi::DEVICE_CUDA,
        "kDLCPU" = abi::DL_CPU,
        "kDLCUDA" = abi::DL_CUDA,
        "kDLFloat" = abi::DL_FLOAT,
    );
    all
}

/// Compiles a C program against the header and runs it; `None` where there is no C compiler.
fn run_c(source: &str, compiler: &str, flags: &[&str]) -> Option<String> {
    if Command::new(compiler).arg("--version").output().is_err() {
        eprintln!("skipped: there is no `{compiler}` here");
        return None;
    }
    let dir = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("layout-{compiler}"));
    std::fs::create_dir_all(&dir).unwrap();
    let extension = if compiler == "c++" { "cpp" } else { "c" };
    let (file, program) = (dir.join(format!("program.{extension}")), dir.join("program"));
    std::fs::write(&file, source).unwrap();
    let compiled = Command::new(compiler)
        .args(flags)
        .args(["-Wall", "-Wextra", "-Werror", "-pedantic"])
        .arg("-I")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")))
        .arg(&file)
        .arg("-o")
        .arg(&program)
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let output = Command::new(&program).output().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_mirror_is_laid_out_as_the_header_is() {
    let Layouts { ours, program } = layouts();
    let source =
        format!("#include <stdio.h>\n#include \"runner_plugin.h\"\nint main(void) {{\n{program}    return 0;\n}}\n");
    let Some(theirs) = run_c(&source, "cc", &["-std=c99"]) else { return };
    assert_eq!(ours, theirs);
}

#[test]
fn no_member_and_no_constant_of_the_header_is_left_out() {
    let Layouts { ours, .. } = layouts();
    let known: Vec<&str> = ours.lines().filter_map(|line| line.split(' ').next()).collect();
    let code = without_comments(abi::HEADER);
    for (at, _) in code.match_indices("RUNNER_") {
        let word: String = code[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        let is_helper = ["RUNNER_PLUGIN_H", "RUNNER_EXPORT"].contains(&word.as_str());
        assert!(is_helper || known.contains(&word.as_str()), "{word} has no mirror");
    }
    for (name, body) in structs(&code) {
        let members = body.split(';').filter_map(member).count();
        let mirrored = known.iter().filter(|known| known.starts_with(&format!("{name}."))).count();
        assert_eq!(members, mirrored, "{name}");
    }
}

#[test]
fn the_random_numbers_of_the_header_are_those_of_the_mirror() {
    let source = "#include <stdio.h>\n#include \"runner_plugin.h\"\nint main(void) {\n    uint32_t n[4];\n    \
                  for (uint64_t i = 0; i < 100; i++) {\n        runner_philox(i * UINT64_C(0x9e3779b97f4a7c15), i, n);\n        \
                  printf(\"%u %u %u %u %.9g\\n\", n[0], n[1], n[2], n[3], (double)runner_unit(n[0]));\n    }\n    return 0;\n}\n";
    let Some(theirs) = run_c(source, "cc", &["-std=c99"]) else { return };
    for (i, line) in (0_u64..).zip(theirs.lines()) {
        let numbers = abi::philox(i.wrapping_mul(0x9e37_79b9_7f4a_7c15), i);
        let words: Vec<&str> = line.split(' ').collect();
        let ours: Vec<String> = numbers.iter().map(u32::to_string).collect();
        assert_eq!(words[..4], ours[..], "block {i}");
        let unit = f64::from(numbers[0] >> 8) / f64::from(1 << 24);
        assert!((words[4].parse::<f64>().unwrap() - unit).abs() < 1e-8);
    }
    assert_eq!(theirs.lines().count(), 100);
}

#[cfg(target_pointer_width = "64")]
#[test]
fn what_the_first_minor_had_is_where_it_was() {
    use std::mem::offset_of;
    assert_eq!((abi::Forward::LEAST, abi::Backward::LEAST), (88, 112));
    assert_eq!((offset_of!(abi::Forward, output), offset_of!(abi::Forward, scratch_bytes)), (64, 80));
    assert_eq!((offset_of!(abi::Backward, output_gradient), offset_of!(abi::Backward, scratch_bytes)), (72, 104));
    assert_eq!((size_of::<abi::Host>(), size_of::<abi::Layer>(), size_of::<abi::Table>()), (64, 128, 48));
    assert_eq!((size_of::<abi::Shape>(), size_of::<abi::Parameter>(), size_of::<abi::DlTensor>()), (80, 120, 48));
}

#[test]
fn the_header_is_fit_for_cpp() {
    let source = "#include \"runner_plugin.h\"\nint main() { return 0; }\n";
    run_c(source, "c++", &["-std=c++11"]);
}

fn without_comments(header: &str) -> String {
    let mut code = String::new();
    let mut rest = header;
    while let Some((before, after)) = rest.split_once("/*") {
        code.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    code + rest
}

/// Name and body of each struct that is defined.
fn structs(code: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for part in code.split("typedef struct").skip(1) {
        let (Some((head, _)), Some(open)) = (part.split_once(';'), part.find('{')) else { continue };
        if !head.contains('{') {
            continue;
        }
        let close = part.find('}').unwrap();
        let name = part[close + 1..].split(';').next().unwrap().trim().to_owned();
        found.push((name, part[open + 1..close].to_owned()));
    }
    assert!(found.len() >= 10, "{found:?}");
    found
}

/// A declaration that is not empty.
fn member(declaration: &str) -> Option<&str> {
    Some(declaration.trim()).filter(|text| !text.is_empty())
}
