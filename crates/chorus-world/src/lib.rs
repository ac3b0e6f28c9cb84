//! The real services over in-memory adapters on a virtual clock, from one seed; for tests only.
