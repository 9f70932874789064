# The project's chores: `just` lists them.

_default:
    @just --list

# Trains the medical pipeline.
medical *ARGS:
    cargo run --release -- pipelines/medical.yaml {{ARGS}}

# All tests.
test:
    cargo test --workspace

# Everything that CI checks.
ci:
    .ci/run

# Formats and lints.
tidy:
    cargo fmt --all
    cargo clippy --workspace --all-targets -- -D warnings

# Writes what is generated from the types: the JSON Schema and the reference pages.
generate:
    UPDATE_SCHEMA=1 cargo test -p runner --lib spec::

# The book, in a browser.
book:
    mdbook serve docs --open

# Builds for NVIDIA GPUs, without one and without the toolkit.
cuda-build:
    .ci/cuda-build

# Checks that the CUDA feature compiles, without a GPU.
cuda-check:
    .ci/cuda-check
