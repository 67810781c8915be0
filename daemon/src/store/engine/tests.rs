//! The engine as a whole, over temporary folders.

mod compact;
mod crash;
mod damage;
mod service;
mod support;
