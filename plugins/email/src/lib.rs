//! The email adapter.
