//! The conformance kit: what a plugin must keep to, tried on its file.

#![forbid(unsafe_code)]
