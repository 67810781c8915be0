//! The admin socket: the same routes as the admin listener, for users of this machine. The file's
//! mode says who may connect; who did is known by the connection's credentials.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    path::Path,
    sync::Arc,
};

use actix_http::{HttpService, Protocol};
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::{
    App,
    dev::{AppConfig, Extensions},
    middleware::from_fn,
};
use tokio::net::UnixStream;

use super::{HEADERS_TIMEOUT, Readiness, STOP_MAX, admin_routes, auth, observe};
use crate::gateway::Gateway;

/// Owner and group may connect.
const MODE: u32 = 0o660;

/// Binds the socket and serves it.
pub(super) fn serve(
    gateway: &Arc<Gateway>,
    readiness: &Arc<Readiness>,
    path: &Path,
) -> io::Result<actix_server::Server> {
    make_way(path)?;
    let (gateway, readiness) = (gateway.clone(), readiness.clone());
    let service = move || {
        let (gateway, readiness) = (gateway.clone(), readiness.clone());
        let app = App::new()
            .wrap(from_fn(observe::admin))
            .configure(|config| admin_routes(config, &gateway, &readiness));
        let http = HttpService::build()
            .client_request_timeout(HEADERS_TIMEOUT)
            .on_connect_ext(|stream: &UnixStream, data: &mut Extensions| {
                auth::note_peer(stream, data);
            })
            .finish(map_config(app.into_factory(), |()| AppConfig::default()));
        fn_service(|stream: UnixStream| async { Ok((stream, Protocol::Http1, None)) })
            .and_then(http)
    };
    let server = actix_server::Server::build()
        .workers(1)
        .disable_signals()
        .shutdown_timeout(STOP_MAX.as_secs())
        .bind_uds("admin-socket", path, service)?
        .run();
    fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
    Ok(server)
}

/// Removes a socket that a killed daemon left behind, and makes its folder. The store's lock has
/// proved already that no other daemon lives from these files; anything but a socket is kept.
pub(crate) fn make_way(socket: &Path) -> io::Result<()> {
    if let Some(folder) = socket.parent() {
        fs::create_dir_all(folder)?;
    }
    match fs::symlink_metadata(socket) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(socket),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "there is a file of another kind in its place",
        )),
        Err(_) => Ok(()),
    }
}
