//! What is kept, and how: domain operations over one storage engine.

pub mod engine;
