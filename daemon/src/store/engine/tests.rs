//! The engine as a whole, over temporary folders.

mod compact;
mod crash;
mod damage;
mod export;
mod full;
mod service;
mod support;
