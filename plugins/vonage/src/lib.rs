//! The vonage adapter.
