//! Providers simulated over real HTTP, written from recorded wire text.
