//! The `runner` binary.

fn main() -> std::process::ExitCode {
    runner::commands::main()
}
