//! The simulator's server: one thread with two loopback listeners, stopped when it is dropped.
//!
//! The second listener is the origin that media redirects lead to, so that a client which carries
//! its credentials over to another host is found out.

use crate::courier::Courier;
use crate::reply::{Incoming, Reply};
use crate::{
    Acme, MailServer, Meta, RecordedRequest, Resend, Ses, SimulatorError, Telegram, Twilio, Vonage,
    Webhook,
};
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Extensions, Server, ServerHandle};
use actix_web::http::StatusCode;
use actix_web::rt::net::TcpStream;
use actix_web::web::{self, Bytes};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use parking_lot::Mutex;
use std::any::Any;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

/// Largest request body that is read; no provider takes a larger file.
const BODY_BYTES_MAX: usize = 128 * 1024 * 1024;

/// The running simulator. Each has its own ports, account and secrets, so tests can run in parallel.
pub struct Simulator {
    url: String,
    twilio: Twilio,
    meta: Meta,
    vonage: Vonage,
    webhook: Webhook,
    smtp: MailServer,
    resend: Resend,
    ses: Ses,
    acme: Acme,
    telegram: Telegram,
    courier: Courier,
    server: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

/// What the server's thread hands out once it listens.
struct Started {
    url: String,
    twilio: Twilio,
    meta: Meta,
    vonage: Vonage,
    webhook: Webhook,
    smtp: MailServer,
    resend: Resend,
    ses: Ses,
    acme: Acme,
    telegram: Telegram,
    courier: Courier,
    server: ServerHandle,
}

impl Simulator {
    /// Starts a simulator on free loopback ports. Returns when it listens; may be called inside an
    /// asynchronous runtime, which is not used.
    pub fn start() -> Result<Self, SimulatorError> {
        Self::start_on(0)
    }

    /// The same, with the providers' APIs on this loopback port; 0 is a free one.
    pub fn start_on(port: u16) -> Result<Self, SimulatorError> {
        let (sender, receiver) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("simulator".to_owned())
            .spawn(move || run(&sender, port))
            .map_err(|error| SimulatorError::Start(error.to_string()))?;
        let started = receiver.recv().map_err(|_| SimulatorError::Stopped)??;
        Ok(Self {
            url: started.url,
            twilio: started.twilio,
            meta: started.meta,
            vonage: started.vonage,
            webhook: started.webhook,
            smtp: started.smtp,
            resend: started.resend,
            ses: started.ses,
            acme: started.acme,
            telegram: started.telegram,
            courier: started.courier,
            server: started.server,
            thread: Some(thread),
        })
    }

    /// Where it listens, without a trailing slash: `http://127.0.0.1:41234`.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The Twilio side.
    pub fn twilio(&self) -> &Twilio {
        &self.twilio
    }

    /// Meta's side: WhatsApp.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The Vonage side.
    pub fn vonage(&self) -> &Vonage {
        &self.vonage
    }

    /// The generic webhook peer.
    pub fn webhook(&self) -> &Webhook {
        &self.webhook
    }

    /// The mail server that the gateway submits to.
    pub fn smtp(&self) -> &MailServer {
        &self.smtp
    }

    /// Resend.
    pub fn resend(&self) -> &Resend {
        &self.resend
    }

    /// Amazon SES.
    pub fn ses(&self) -> &Ses {
        &self.ses
    }

    /// Acme, which does not exist: the provider of adapters that are just begun.
    pub fn acme(&self) -> &Acme {
        &self.acme
    }

    /// Telegram.
    pub fn telegram(&self) -> &Telegram {
        &self.telegram
    }

    /// The calls that came since this was last asked, with the provider that each was for. They are kept no
    /// longer, so that a simulator that runs for long does not grow.
    pub fn take_calls(&self) -> Vec<(&'static str, RecordedRequest)> {
        let sides = [
            ("twilio", self.twilio.take_requests()),
            ("vonage", self.vonage.take_requests()),
            ("whatsapp", self.meta.take_requests()),
            ("webhook", self.webhook.take_requests()),
            ("email", self.resend.take_requests()),
            ("email", self.ses.take_requests()),
            ("acme", self.acme.take_requests()),
            ("telegram", self.telegram.take_requests()),
        ];
        let calls = sides.into_iter();
        calls
            .flat_map(|(side, calls)| calls.into_iter().map(move |call| (side, call)))
            .collect()
    }

    /// Carries everything that is meant for the origin `public` (`https://hooks.example.org`) to the
    /// origin `listener` (`http://127.0.0.1:8080`) instead, as a TLS proxy in front of it would, with
    /// `X-Forwarded-Proto` and `X-Forwarded-Host`. Signatures stay those of the public address.
    pub fn route(&self, public: &str, listener: &str) {
        self.courier.route(public, listener);
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // The command is sent by the call; its outcome is awaited by joining the thread.
        drop(self.server.stop(false));
        if let Some(thread) = self.thread.take() {
            // A panic of the server's thread has been printed; there is nothing to add.
            let _ = thread.join();
        }
    }
}

/// The server's thread, from start to stop.
fn run(sender: &mpsc::Sender<Result<Started, SimulatorError>>, port: u16) {
    actix_web::rt::System::new().block_on(async {
        match start(port).await {
            Ok((started, server)) => {
                // Nobody waits any more if the receiver is gone; then the server isn't needed.
                if sender.send(Ok(started)).is_ok() {
                    let _ = server.await;
                }
            }
            Err(error) => {
                let _ = sender.send(Err(error));
            }
        }
    });
}

async fn start(port: u16) -> Result<(Started, Server), SimulatorError> {
    let failed = |error: std::io::Error| SimulatorError::Start(error.to_string());
    let api = TcpListener::bind(("127.0.0.1", port)).map_err(failed)?;
    let media = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
    let url = format!("http://{}", api.local_addr().map_err(failed)?);
    let media_address = media.local_addr().map_err(failed)?;
    let courier = Courier::new(tokio::runtime::Handle::current())?;
    let twilio = Twilio::new(&url, &format!("http://{media_address}"), courier.clone());
    let meta = Meta::new(&url, &format!("http://{media_address}"), courier.clone());
    let vonage = Vonage::new(&url, courier.clone());
    let webhook = Webhook::new(&url, courier.clone());
    let resend = Resend::new(&url, courier.clone());
    let ses = Ses::new(&url);
    let acme = Acme::new(&url, courier.clone());
    let telegram = Telegram::new(&url, courier.clone());
    let sides = Sides {
        twilio: twilio.clone(),
        meta: meta.clone(),
        vonage: vonage.clone(),
        webhook: webhook.clone(),
        resend: resend.clone(),
        ses: ses.clone(),
        acme: acme.clone(),
        telegram: telegram.clone(),
        media_port: media_address.port(),
    };
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::PayloadConfig::new(BODY_BYTES_MAX))
            .app_data(web::Data::new(sides.clone()))
            .default_service(web::to(serve))
    })
    .workers(1)
    .disable_signals()
    .keep_alive(Duration::from_secs(75))
    .on_connect(remember_connection)
    .listen(api)
    .and_then(|server| server.listen(media))
    .map_err(failed)?
    .run();
    let started = Started {
        url,
        twilio,
        meta,
        vonage,
        webhook,
        smtp: MailServer::start().await?,
        resend,
        ses,
        acme,
        telegram,
        courier,
        server: server.handle(),
    };
    Ok((started, server))
}

/// The providers behind the one server.
#[derive(Clone)]
struct Sides {
    twilio: Twilio,
    meta: Meta,
    vonage: Vonage,
    webhook: Webhook,
    resend: Resend,
    ses: Ses,
    acme: Acme,
    telegram: Telegram,
    media_port: u16,
}

async fn serve(request: HttpRequest, body: Bytes, sides: web::Data<Sides>) -> HttpResponse {
    let incoming = incoming(&request, body);
    let connection = request.conn_data::<Connection>();
    let at_media_origin = connection.is_some_and(|known| known.port == sides.media_port);
    let reply = if at_media_origin && incoming.path.starts_with(Meta::LOOKASIDE_PATH) {
        sides.meta.serve_lookaside(incoming).await
    } else if at_media_origin {
        sides.twilio.serve_media_origin(&incoming)
    } else if Meta::is_path(&incoming.path) {
        sides.meta.serve(incoming).await
    } else if Twilio::serves(&incoming.path) {
        sides.twilio.serve(incoming).await
    } else if Vonage::owns(&incoming.path) {
        sides.vonage.serve(incoming).await
    } else if incoming.path == Webhook::SINK_PATH {
        sides.webhook.serve(incoming).await
    } else if incoming.path.starts_with(Resend::PREFIX) {
        sides.resend.serve(incoming).await
    } else if incoming.path.starts_with(Ses::PREFIX) {
        sides.ses.serve(incoming).await
    } else if incoming.path.starts_with(Acme::PREFIX) {
        sides.acme.serve(incoming).await
    } else if incoming.path.starts_with(Telegram::PREFIX) {
        sides.telegram.serve(incoming).await
    } else {
        Reply::text(404, "no provider has this path")
    };
    match reply {
        Reply::Answer {
            status,
            headers,
            body,
        } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = HttpResponse::build(status);
            for header in headers {
                response.append_header(header);
            }
            response.body(body)
        }
        Reply::Reset => {
            if let Some(connection) = connection {
                connection.reset_on_close();
            }
            HttpResponse::Ok().body(Abort)
        }
    }
}

fn incoming(request: &HttpRequest, body: Bytes) -> Incoming {
    Incoming {
        method: request.method().as_str().to_owned(),
        path: request.path().to_owned(),
        query: request.query_string().to_owned(),
        headers: request
            .headers()
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect(),
        body,
    }
}

/// A second handle on the connection's socket, to be able to reset it.
struct Connection {
    port: u16,
    socket: Mutex<Option<socket2::Socket>>,
}

impl Connection {
    /// Makes the coming close a reset instead of an orderly end.
    fn reset_on_close(&self) {
        if let Some(socket) = self.socket.lock().take() {
            // Should the socket be gone already, the peer has its broken connection.
            let _ = socket.set_linger(Some(Duration::ZERO));
        }
    }
}

fn remember_connection(connection: &dyn Any, data: &mut Extensions) {
    let Some(stream) = connection.downcast_ref::<TcpStream>() else {
        return;
    };
    data.insert(Connection {
        port: stream.local_addr().map_or(0, |address| address.port()),
        socket: Mutex::new(socket2::SockRef::from(stream).try_clone().ok()),
    });
}

/// A body that fails before its first byte: the server then drops the connection, headers unsent.
struct Abort;

impl MessageBody for Abort {
    type Error = std::io::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, std::io::Error>>> {
        Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionReset.into())))
    }
}
