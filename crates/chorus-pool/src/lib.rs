//! The account pool: choice, order, estimates, reactions (pure engine), and Admission, its one async shell.
