//! Sockets that systemd has bound for us (`sd_listen_fds(3)`): ports below 1024 without privileges, and
//! connections that wait, not fail, while the daemon is started again.

use std::{
    env,
    net::TcpListener,
    os::fd::{FromRawFd as _, OwnedFd, RawFd},
};

use socket2::{Socket, Type};

/// The sockets that were passed; none where systemd passed none.
#[derive(Debug, Default)]
pub struct Inherited {
    /// For the public listener.
    pub public: Option<TcpListener>,
    /// For the admin listener.
    pub admin: Option<TcpListener>,
}

/// What a passed socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Public,
    Admin,
}

impl Inherited {
    /// Takes what was passed to this process. The error says in words what can't be used.
    ///
    /// To be called once: the sockets belong to who takes them.
    pub fn take() -> Result<Self, String> {
        let passed = sd_notify::listen_fds_with_names()
            .map_err(|error| format!("LISTEN_FDS, LISTEN_FDNAMES: {error}"))?;
        let passed: Vec<(RawFd, String)> = passed.collect();
        let names: Vec<&str> = passed.iter().map(|(_, name)| name.as_str()).collect();
        let mut taken = Self::default();
        for ((fd, name), is_for) in passed.iter().zip(assign(&names)?) {
            let listener = listener(*fd)
                .map_err(|why| format!("the socket {name:?} that systemd passed {why}"))?;
            match is_for {
                Use::Public => taken.public = Some(listener),
                Use::Admin => taken.admin = Some(listener),
            }
        }
        Ok(taken)
    }

    /// Whether the manager has named sockets for this process; they may be of no use all the same.
    pub fn is_offered() -> bool {
        env::var_os("LISTEN_FDS").is_some()
    }
}

/// What each socket is for by its name. A single one may have any name: that of its unit, where the unit
/// gives none.
fn assign(names: &[&str]) -> Result<Vec<Use>, String> {
    if let [only] = names
        && *only != "admin"
    {
        return Ok(vec![Use::Public]);
    }
    let mut uses = Vec::new();
    for name in names {
        let is_for = match *name {
            "public" => Use::Public,
            "admin" => Use::Admin,
            other => {
                return Err(format!(
                    "systemd passed a socket named {other:?}: name them \"public\" and \"admin\" \
                     (FileDescriptorName= in the socket unit)"
                ));
            }
        };
        if uses.contains(&is_for) {
            return Err(format!(
                "systemd passed two sockets named {name:?}: one ListenStream= for each"
            ));
        }
        uses.push(is_for);
    }
    Ok(uses)
}

#[allow(unsafe_code)]
fn listener(fd: RawFd) -> Result<TcpListener, &'static str> {
    // SAFETY: the service manager gave this process the descriptors from 3 on to keep (LISTEN_PID names
    // it, and sd_notify has found each of them open); nothing else in this process owns them, since
    // this is the one place that takes them, once.
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    let socket = Socket::from(owned);
    let is_stream = socket.r#type().map_err(|_| "is not a socket")? == Type::STREAM;
    let is_inet = socket
        .local_addr()
        .is_ok_and(|address| address.as_socket().is_some());
    if !is_stream || !is_inet {
        return Err("is not a TCP socket: use ListenStream= with an address and a port");
    }
    if !socket.is_listener().unwrap_or(false) {
        return Err("does not listen: set Accept=no in the socket unit");
    }
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_told_apart_by_their_names() {
        assert_eq!(assign(&[]), Ok(vec![]));
        assert_eq!(assign(&["trunkline.socket"]), Ok(vec![Use::Public]));
        assert_eq!(assign(&["admin"]), Ok(vec![Use::Admin]));
        let both = Ok(vec![Use::Admin, Use::Public]);
        assert_eq!(assign(&["admin", "public"]), both);
        for wrong in [["public", "unknown"], ["public", "public"]] {
            let said = assign(&wrong).expect_err("refused");
            assert!(said.contains(wrong[1]), "{said}");
        }
    }
}
