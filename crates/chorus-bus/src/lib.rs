//! Records between services: the embedded bus.
