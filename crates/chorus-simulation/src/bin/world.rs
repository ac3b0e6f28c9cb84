//! Runs [`World`](chorus_simulation::world) by seed: `cargo run -p chorus-simulation --bin world --
//! --seed 7 --trace`, or many seeds with `--seeds 1000`.

use std::process::ExitCode;

use chorus_simulation::cli;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    cli::main(&arguments)
}
