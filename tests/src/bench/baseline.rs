//! The server that does nothing: actix-web with an empty handler, in a process of its own. It reads
//! the body, since a connection with an unread one would be closed, and looks at nothing in it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use actix_web::{App, HttpResponse, HttpServer, web};

/// Serves until standard input ends; prints its address first.
pub fn serve() -> std::io::Result<()> {
    actix_web::rt::System::new().block_on(async {
        let app = || {
            App::new().default_service(web::to(|_body: web::Bytes| async {
                HttpResponse::Ok().finish()
            }))
        };
        let server = HttpServer::new(app).bind(("127.0.0.1", 0))?;
        println!("{}", server.addrs()[0]);
        let server = server.disable_signals().run();
        let handle = server.handle();
        std::thread::spawn(move || {
            // The parent's end closes when it is done or dead.
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            drop(handle.stop(false));
            std::process::exit(0);
        });
        server.await
    })
}

/// The child process that serves it.
#[derive(Debug)]
pub struct Baseline {
    child: Child,
    address: SocketAddr,
}

impl Baseline {
    /// Starts this program again as the server.
    pub fn start() -> std::io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("baseline")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let address = line.trim().parse();
        let address =
            address.map_err(|_| std::io::Error::other("the empty handler gave no address"))?;
        Ok(Self { child, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        // Already ended is as good as killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
