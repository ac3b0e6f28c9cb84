//! Behaviour of the project machine.
