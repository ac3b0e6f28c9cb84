//! The one integration-test binary: real adapters, real sockets, real processes.
