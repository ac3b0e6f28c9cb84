//! The one binary: every role of Chorus starts here.

fn main() {}
