//! Behaviour of the project machine, driven through [`house::House`]: it hands commands and finished attempts
//! to a project as a shell would, and holds every decision against the invariants of design.md 11.

mod cases;
mod house;
mod properties;
