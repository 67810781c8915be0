//! The public listener below HTTP: who is let in, the TLS handshake, and how long a client may take.
//!
//! ```text
//! accept ─ admission: connections in all, of one address ─ handshake ─ Guarded (times of one connection) ─ HTTP ─ threshold ─ routes
//!                  └─ over: 503 or closed
//! ```
//!
//! - [`admission`]: counts connections. [`line`]: the times of one connection, a pure state.
//! - [`guarded`]: the stream that keeps to them. [`threshold`]: sizes of a request's head, and which
//!   requests are under way. [`body`]: the rate of a body. [`leaving`]: an orderly stop.
//!
//! The times are kept here and not by actix-web: its timer for heads knows only the first request of a
//! connection, and its settings can't be changed while it runs.

mod admission;
mod body;
mod guarded;
mod leaving;
mod line;
mod threshold;

use std::{io, net::TcpListener, sync::Arc, time::Duration};

use actix_http::{HttpService, KeepAlive, Protocol, error::DispatchError};
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::{
    App,
    dev::{AppConfig, Extensions},
    middleware::from_fn,
    web::{self, ServiceConfig},
};
use tokio::net::TcpStream;
use tracing::debug;

use self::{
    admission::Admission,
    guarded::{Guarded, Wire},
    threshold::Threshold,
};
pub(super) use self::{body::read, leaving::Leaving};
use super::{PUBLIC_WORKERS, STOP_MAX, observe};
use crate::{
    config::Settings,
    gateway::Gateway,
    metrics::{Metrics, Refusal},
    tls::Certificates,
};

/// How long a connection that is to be closed may go on sending, so that it gets its answer.
const LINGER: Duration = Duration::from_secs(1);

/// What every connection of the public listener shares.
#[derive(Clone)]
struct Shared {
    settings: Settings,
    metrics: Arc<Metrics>,
    certificates: Arc<Certificates>,
    admission: Arc<Admission>,
    leaving: Leaving,
}

/// Serves the routes on a listening socket; `on_worker` is called on each thread that serves.
pub(super) fn serve(
    gateway: &Arc<Gateway>,
    listener: TcpListener,
    leaving: &Leaving,
    routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    on_worker: impl Fn() + Clone + Send + 'static,
) -> io::Result<actix_server::Server> {
    let shared = Shared {
        settings: gateway.settings.clone(),
        metrics: gateway.metrics.clone(),
        certificates: gateway.certificates.clone(),
        admission: Arc::new(Admission::new(
            gateway.settings.clone(),
            gateway.metrics.clone(),
        )),
        leaving: leaving.clone(),
    };
    let data = web::Data::from(gateway.clone());
    let service = move || {
        on_worker();
        let (routes, data, shared) = (routes.clone(), data.clone(), shared.clone());
        let threshold = Threshold::new(
            shared.settings.clone(),
            shared.metrics.clone(),
            shared.leaving.clone(),
        );
        let app = App::new()
            .app_data(data)
            .configure(routes)
            .wrap_fn(move |request, app| threshold.pass(request, app))
            .wrap(from_fn(observe::public));
        let http = HttpService::build()
            .keep_alive(KeepAlive::Os)
            .client_request_timeout(Duration::ZERO)
            .client_disconnect_timeout(LINGER)
            .on_connect_ext(|stream: &Guarded, data: &mut Extensions| {
                data.insert(stream.line());
            })
            .finish(map_config(app.into_factory(), |()| AppConfig::default()));
        fn_service(move |stream: TcpStream| let_in(shared.clone(), stream)).and_then(http)
    };
    let server = actix_server::Server::build()
        .workers(PUBLIC_WORKERS)
        .disable_signals()
        .shutdown_timeout(STOP_MAX.as_secs())
        .listen("public", listener, service)?
        .run();
    Ok(server)
}

/// One connection on its way to HTTP.
async fn let_in(
    shared: Shared,
    stream: TcpStream,
) -> Result<(Guarded, Protocol, Option<std::net::SocketAddr>), DispatchError> {
    let peer = stream.peer_addr()?;
    let acceptor = shared.certificates.acceptor();
    let Ok(permit) = shared.admission.admit(peer.ip()) else {
        if acceptor.is_none() {
            admission::turn_away(&stream);
        }
        return Err(io::Error::from(io::ErrorKind::ConnectionRefused).into());
    };
    let wire = match acceptor {
        None => Wire::Plain(stream),
        Some(acceptor) => {
            let limit = shared.settings.load().server.limits.head_timeout;
            match tokio::time::timeout(limit, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => Wire::Tls(Box::new(stream)),
                Ok(Err(error)) => {
                    debug!(%error, "a TLS handshake failed");
                    shared.metrics.refused(Refusal::Handshake);
                    return Err(error.into());
                }
                Err(_) => {
                    shared.metrics.refused(Refusal::Handshake);
                    return Err(io::Error::from(io::ErrorKind::TimedOut).into());
                }
            }
        }
    };
    let guarded = Guarded::new(
        wire,
        permit,
        shared.settings,
        shared.metrics,
        &shared.leaving,
    );
    Ok((guarded, Protocol::Http1, Some(peer)))
}
