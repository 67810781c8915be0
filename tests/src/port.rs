//! Ports that stay free between two starts of a daemon.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// The range used: below the one that outgoing connections take their ports from.
const PORTS: std::ops::Range<u16> = 10_240..30_240;

/// A loopback port that nobody listens on. Each call of a process gives another one.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Processes of one machine start in different places.
    let start = std::process::id().wrapping_mul(61);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let offset = start.wrapping_add(step) % u32::from(PORTS.end - PORTS.start);
        let port = PORTS.start + u16::try_from(offset).expect("the range is of ports");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
