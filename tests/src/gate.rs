//! A door between the daemon and a provider: it can be shut, as when the provider's host is gone,
//! and opened again on the same port.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::port::free_port;

/// Passes connections on to the target while it is open.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    target: SocketAddr,
    open: Option<JoinHandle<()>>,
}

impl Gate {
    /// An open gate to the address in `url` (`http://127.0.0.1:1234`).
    pub async fn before(url: &str) -> Self {
        let target = url.trim_start_matches("http://").parse();
        let mut gate = Self {
            address: SocketAddr::from(([127, 0, 0, 1], free_port())),
            target: target.expect("a URL of scheme, address and port"),
            open: None,
        };
        gate.reopen().await;
        gate
    }

    /// What to call instead of the target.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Cuts every connection; from now on each new one is refused.
    pub async fn shut(&mut self) {
        if let Some(open) = self.open.take() {
            open.abort();
            // It ends by being aborted, which is what is waited for.
            let _ = open.await;
        }
    }

    /// Lets connections through again.
    pub async fn reopen(&mut self) {
        self.shut().await;
        let listener = TcpListener::bind(self.address).await;
        let listener = listener.expect("the gate's port is free");
        self.open = Some(tokio::spawn(pass(listener, self.target)));
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Some(open) = &self.open {
            open.abort();
        }
    }
}

/// Passes connections on until it is dropped, and they with it.
async fn pass(listener: TcpListener, target: SocketAddr) {
    let mut connections = JoinSet::new();
    while let Ok((mut near, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            let Ok(mut far) = TcpStream::connect(target).await else {
                return;
            };
            let _ = (near.set_nodelay(true), far.set_nodelay(true));
            // Either side may break off at any time.
            let _ = copy_bidirectional(&mut near, &mut far).await;
        });
    }
}
