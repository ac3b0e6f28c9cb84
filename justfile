# Short names for what is typed often. Everything here is plain cargo underneath.

# every test
test:
    cargo xtask test

# the shape of the tree, formatting and lints
check:
    cargo fmt --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo xtask tidy

# the whole loop with simulated providers
demo:
    cargo run --release -- demo
