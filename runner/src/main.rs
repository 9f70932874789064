//! The `runner` binary.

#[global_allocator]
static MEMORY: runner::engine::KeptMemory = runner::engine::KeptMemory;

fn main() -> std::process::ExitCode {
    runner::commands::main()
}
