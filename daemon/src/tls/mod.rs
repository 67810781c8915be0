//! The certificate of the public listener: read, checked, exchanged while connections live, and watched
//! so that its end surprises nobody.
//!
//! ```text
//! start, reload ─> Pair::load ─┐
//! refresh: files changed? ─────┴─> Certificates ─> the next connection's handshake
//!                                        └─ ends soon, can't be used ─> log, notice, metric
//! ```
//!
//! A connection keeps the certificate that it began with. A pair that can't be used never takes the
//! place of one that can.

mod pair;
mod validity;
mod watcher;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio_rustls::TlsAcceptor;

pub use pair::{Pair, PairError};
pub use watcher::Watcher;

/// The pair in force, none where the listener speaks plain HTTP. Shared with the listener.
#[derive(Default)]
pub struct Certificates(ArcSwapOption<Pair>);

impl Certificates {
    /// Begins with a pair.
    pub fn new(pair: Option<Arc<Pair>>) -> Self {
        Self(ArcSwapOption::new(pair))
    }

    /// Takes a pair for the next connections.
    pub fn replace(&self, pair: Option<Arc<Pair>>) {
        self.0.store(pair);
    }

    /// The pair in force.
    pub fn current(&self) -> Option<Arc<Pair>> {
        self.0.load_full()
    }

    /// What takes the next handshake; none where there is to be none.
    pub fn acceptor(&self) -> Option<TlsAcceptor> {
        let pair = self.0.load();
        pair.as_ref().map(|pair| pair.acceptor())
    }
}
