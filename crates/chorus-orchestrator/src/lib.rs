//! A project's only writer: clarify, plan, run, merge, evaluate. Decides; never calls a model itself.

pub mod prompt;
