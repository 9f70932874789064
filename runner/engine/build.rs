//! Compiles the kernels for NVIDIA GPUs, where they are asked for.

use std::env;
use std::path::PathBuf;
use std::process::{Command, exit};

const KERNELS: &str = "src/cuda/kernels";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={KERNELS}");
    println!("cargo:rerun-if-env-changed=CUDA_COMPUTE_CAP");
    if env::var_os("CARGO_FEATURE_CUDA").is_some()
        && let Err(error) = compile()
    {
        println!("cargo:error={error}");
        exit(1);
    }
}

/// Machine code for the card at hand, and PTX for those that come after it.
fn compile() -> Result<(), String> {
    let capability = capability()?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let architecture = format!("arch=compute_{capability}");
    let done = Command::new("nvcc")
        .args(["-std=c++17", "-O3", "--fatbin"])
        .args(["-gencode", &format!("{architecture},code=sm_{capability}")])
        .args(["-gencode", &format!("{architecture},code=compute_{capability}")])
        .arg("-o")
        .arg(out.join("kernels.fatbin"))
        .arg(format!("{KERNELS}/all.cu"))
        .output()
        .map_err(|error| format!("nvcc, the compiler of the CUDA toolkit, cannot be run: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = [done.stdout, done.stderr].map(|text| String::from_utf8_lossy(&text).replace('\n', " | "));
    Err(format!("nvcc does not compile {KERNELS}: {}", said.join(" ")))
}

/// The card's compute capability without a point, as dfdx has it: `CUDA_COMPUTE_CAP`, or what nvidia-smi says.
fn capability() -> Result<String, String> {
    if let Ok(capability) = env::var("CUDA_COMPUTE_CAP") {
        return Ok(capability);
    }
    let query = ["--query-gpu=compute_cap", "--format=csv,noheader"];
    let said = Command::new("nvidia-smi").args(query).output();
    let said = said.map_err(|error| format!("nvidia-smi cannot be run, and CUDA_COMPUTE_CAP is not set: {error}"))?;
    let said = String::from_utf8_lossy(&said.stdout);
    let first = said.lines().last().map(|line| line.trim().replace('.', ""));
    first.filter(|capability| !capability.is_empty()).ok_or_else(|| "nvidia-smi names no card".to_owned())
}
