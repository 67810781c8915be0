//! The chat adapter.
