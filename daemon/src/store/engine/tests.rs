//! The engine as a whole, over temporary folders.

mod crash;
mod damage;
mod export;
mod service;
mod support;
