//! Makes a safetensors file out of any weight file:
//! `cargo run --example convert_weights -- IN OUT [--f16] [--drop PATTERN]...`

use runner::weights::save::Precision;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut paths = Vec::new();
    let (mut precision, mut drop) = (Precision::Float32, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--f16" => precision = Precision::Float16,
            "--drop" => drop.extend(arguments.next()),
            _ => paths.push(PathBuf::from(argument)),
        }
    }
    let [input, output] = paths.as_slice() else {
        eprintln!("usage: convert_weights IN OUT [--f16] [--drop PATTERN]...");
        return ExitCode::from(2);
    };
    match runner::commands::convert::run(input, output, precision, &drop, &mut std::io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
