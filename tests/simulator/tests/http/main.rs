//! The simulator over real HTTP on loopback: what a client of the provider and what a gateway see.

mod api;
mod callbacks;
mod client;
mod faults;
mod gateway;
mod inbound;
mod webhook;
