//! The listeners. Every route is on this page.
//!
//! | listener | route | what |
//! |---|---|---|
//! | public | `GET POST /webhooks/{channel}[/{token}]`, aliases | webhooks: [`public`] |
//! | public | `/forms/{slug}` | forms: [`form`] |
//! | public | `GET HEAD /media/{token}/{name}` | a file, for the provider that was given the link |
//! | public | `/chat/{channel}...` | the visitor's page and what it talks to: [`chat`] |
//! | public, admin | `GET /healthz` | the process lives |
//! | admin | `GET /readyz` | both listeners serve |
//! | admin | `GET /metrics` | counts, for a scraper |
//! | admin | `/api/v1/...` | the API: [`api`] |
//!
//! The admin listener speaks to holders of a token, its socket to permitted users of this machine.

mod api;
mod auth;
mod chat;
mod client;
mod files;
mod form;
mod observe;
mod problem;
mod public;
mod readiness;
mod socket;
mod upload;

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use actix_web::{
    App, HttpResponse, HttpServer,
    dev::ServerHandle,
    middleware::from_fn,
    web::{self, ServiceConfig},
};

pub use self::readiness::Readiness;
pub(crate) use self::socket::make_way;
use crate::gateway::Gateway;

/// Threads of the public listener.
const PUBLIC_WORKERS: usize = 2;
/// Time in which a request's head must be there.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an API request's body.
const API_BYTES_MAX: usize = 1024 * 1024;

/// What was bound.
pub struct Listeners {
    /// The public address.
    pub public: SocketAddr,
    /// The admin address.
    pub admin: SocketAddr,
    /// The admin socket.
    pub socket: PathBuf,
    /// For stopping them.
    pub handles: Vec<ServerHandle>,
    /// Whether to send traffic here.
    pub readiness: Arc<Readiness>,
}

/// Binds and serves both listeners and the socket. The error says which could not be bound.
pub fn listen(gateway: &Arc<Gateway>) -> Result<Listeners, (String, io::Error)> {
    let readiness = Arc::new(Readiness::default());
    let config = gateway.settings.load_full();
    let at =
        |name: &str, address: &dyn std::fmt::Display| format!("{name} {address} can't be bound");

    let shared = gateway.clone();
    let forms = Arc::new(form::Limits::default());
    let door = Arc::new(chat::Door::new(gateway.clone()));
    let public = HttpServer::new(move || {
        let gateway = web::Data::from(shared.clone());
        App::new()
            .wrap(from_fn(observe::public))
            .app_data(gateway)
            .configure(|config| chat::routes(config, &door))
            .route("/healthz", web::get().to(healthz))
            .configure(|config| form::routes(config, &forms))
            .route("/media/{token}/{name}", web::get().to(public::media))
            .route("/media/{token}/{name}", web::head().to(public::media))
            .default_service(web::to(public::webhook))
    })
    .workers(PUBLIC_WORKERS)
    .client_request_timeout(HEADERS_TIMEOUT)
    .shutdown_timeout(config.server.drain.as_secs())
    .disable_signals()
    .bind(config.server.listen)
    .map_err(|error| (at("[server] listen", &config.server.listen), error))?;
    let (shared, ready) = (gateway.clone(), readiness.clone());
    let admin = HttpServer::new(move || {
        App::new()
            .wrap(from_fn(observe::admin))
            .configure(|config| admin_routes(config, &shared, &ready))
    })
    .workers(1)
    .client_request_timeout(HEADERS_TIMEOUT)
    .shutdown_timeout(config.server.drain.as_secs())
    .disable_signals()
    .bind(config.admin.listen)
    .map_err(|error| (at("[admin] listen", &config.admin.listen), error))?;
    let addresses = (public.addrs()[0], admin.addrs()[0]);
    let socket = config.admin.socket.clone();
    let by_socket = socket::serve(gateway, &readiness, &socket)
        .map_err(|error| (at("[admin] socket", &socket.display()), error))?;

    let servers = [public.run(), admin.run(), by_socket];
    let handles = servers.iter().map(actix_web::dev::Server::handle).collect();
    for server in servers {
        actix::spawn(server);
    }
    readiness.enter();
    Ok(Listeners {
        public: addresses.0,
        admin: addresses.1,
        socket,
        handles,
        readiness,
    })
}

async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok")
}

/// The routes of the admin listener and of its socket.
fn admin_routes(config: &mut ServiceConfig, gateway: &Arc<Gateway>, readiness: &Arc<Readiness>) {
    config
        .app_data(web::Data::from(gateway.clone()))
        .app_data(web::Data::from(readiness.clone()))
        .app_data(problem::json_config(API_BYTES_MAX))
        .app_data(problem::query_config())
        .app_data(problem::path_config())
        .route("/healthz", web::get().to(healthz))
        .route("/readyz", web::get().to(readiness::readyz))
        .route("/metrics", web::get().to(api::metrics))
        .service(web::scope("/api/v1").configure(api::routes))
        .default_service(web::to(problem::not_found));
}
