//! The Trunkline daemon: receives messages, keeps them, threads them, answers.

pub mod store;
