//! The listeners. Every route is on this page.
//!
//! | listener | route | what |
//! |---|---|---|
//! | public | `GET POST /webhooks/{channel}[/{token}]`, aliases | webhooks: `public` |
//! | public | `/forms/{slug}` | forms: `form` |
//! | public | `GET HEAD /media/{token}/{name}` | a file, for the provider that was given the link |
//! | public | `/chat/{channel}...` | the visitor's page and what it talks to: `chat` |
//! | public, admin | `GET /healthz` | the process lives |
//! | admin | `GET /readyz` | both listeners serve |
//! | admin | `GET /metrics` | counts, for a scraper |
//! | admin | `/api/v1/...` | the API: `api` |
//!
//! The admin listener speaks to holders of a token, its socket to permitted users of this machine.

mod api;
mod audit;
mod auth;
mod chat;
mod client;
mod files;
mod form;
mod inherited;
mod observe;
mod password;
mod problem;
mod public;
mod readiness;
mod socket;
mod upload;
mod wire;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use actix_web::{
    App, HttpResponse, HttpServer,
    dev::ServerHandle,
    middleware::from_fn,
    web::{self, ServiceConfig},
};

pub(crate) use self::socket::make_way;
use self::wire::Leaving;
pub use self::{inherited::Inherited, readiness::Readiness};
use crate::gateway::Gateway;

/// Threads of the public listener.
pub const PUBLIC_WORKERS: usize = 2;
/// Time in which the head of a request to the admin listener must be there.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an API request's body.
const API_BYTES_MAX: usize = 1024 * 1024;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// A stop is over when the drain time is, whatever a listener still does.
const STOP_MAX: Duration = Duration::from_secs(3600);

/// What was bound.
pub struct Listeners {
    /// The public address.
    pub public: SocketAddr,
    /// The admin address.
    pub admin: SocketAddr,
    /// The admin socket.
    pub socket: PathBuf,
    /// Whether to send traffic here.
    pub readiness: Arc<Readiness>,
    handles: Vec<ServerHandle>,
    leaving: Leaving,
}

impl Listeners {
    /// Stops taking connections and lets requests under way be answered; for `linger` connections
    /// that are open are still heard, and told with each answer to come no more.
    pub async fn stop(&self, linger: Duration) {
        self.leaving.close_after_answers();
        let stops: Vec<_> = self.handles.iter().map(|one| one.stop(true)).collect();
        let leave = async {
            tokio::time::sleep(linger).await;
            self.leaving.leave();
        };
        tokio::join!(futures_util::future::join_all(stops), leave);
    }
}

/// Serves both listeners and the socket, on sockets that were passed where there are some, else on new
/// ones. `on_worker` is called on each thread that serves the public one. The error says which could not
/// be bound.
pub fn listen(
    gateway: &Arc<Gateway>,
    inherited: Inherited,
    on_worker: impl Fn() + Clone + Send + 'static,
) -> Result<Listeners, (String, io::Error)> {
    let readiness = Arc::new(Readiness::default());
    let leaving = Leaving::default();
    let config = gateway.settings.load_full();
    let at =
        |name: &str, address: &dyn std::fmt::Display| format!("{name} {address} can't be bound");
    let public_failed = |error| (at("[server] listen", &config.server.listen), error);
    let admin_failed = |error| (at("[admin] listen", &config.admin.listen), error);

    let public = bound(inherited.public, config.server.listen).map_err(public_failed)?;
    let admin = bound(inherited.admin, config.admin.listen).map_err(admin_failed)?;
    let addresses = (
        public.local_addr().map_err(public_failed)?,
        admin.local_addr().map_err(admin_failed)?,
    );
    let routes = public_routes(gateway);
    let public =
        wire::serve(gateway, public, &leaving, routes, on_worker).map_err(public_failed)?;
    let (shared, ready) = (gateway.clone(), readiness.clone());
    let admin = HttpServer::new(move || {
        App::new()
            .wrap(from_fn(observe::admin))
            .configure(|config| admin_routes(config, &shared, &ready))
    })
    .workers(1)
    .client_request_timeout(HEADERS_TIMEOUT)
    .shutdown_timeout(STOP_MAX.as_secs())
    .disable_signals()
    .listen(admin)
    .map_err(admin_failed)?;
    let socket = config.admin.socket.clone();
    let by_socket = socket::serve(gateway, &readiness, &socket)
        .map_err(|error| (at("[admin] socket", &socket.display()), error))?;

    let servers = [public, admin.run(), by_socket];
    let handles = servers.iter().map(actix_web::dev::Server::handle).collect();
    for server in servers {
        actix::spawn(server);
    }
    readiness.enter();
    Ok(Listeners {
        public: addresses.0,
        admin: addresses.1,
        socket,
        readiness,
        handles,
        leaving,
    })
}

/// The socket that was passed, or a new one.
fn bound(passed: Option<TcpListener>, address: SocketAddr) -> io::Result<TcpListener> {
    if let Some(passed) = passed {
        return Ok(passed);
    }
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::STREAM,
        Some(socket2::Protocol::TCP),
    )?;
    // A daemon that is started again need not wait for the connections of the one before it.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The routes of the public listener.
fn public_routes(gateway: &Arc<Gateway>) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    let forms = Arc::new(form::Limits::default());
    let door = Arc::new(chat::Door::new(gateway.clone()));
    move |config| {
        chat::routes(config, &door);
        config.route("/healthz", web::get().to(healthz));
        form::routes(config, &forms);
        config
            .route("/media/{token}/{name}", web::get().to(public::media))
            .route("/media/{token}/{name}", web::head().to(public::media))
            .default_service(web::to(public::webhook));
    }
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
        .service(
            web::scope("/api/v1")
                .wrap(from_fn(audit::record))
                .configure(api::routes),
        )
        .default_service(web::to(problem::not_found));
}
