//! Checks and drawings of the house, run as `cargo xtask <name>`.

fn main() {}
