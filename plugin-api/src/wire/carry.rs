//! Which values carry raw bytes beside their JSON, and where in them the bytes live.

use crate::{
    Body, Facts, Manifest, Received, Reply, Request, Step, Turn, WebhookRequest, wire::Opened,
};

/// A value that crosses the boundary as JSON and at most one byte string.
pub trait Carries {
    /// Its name in errors.
    const WHAT: &'static str;

    /// Where the byte string lives; none where this value has no place for one.
    fn raw_slot(&mut self) -> Option<&mut Vec<u8>> {
        None
    }
}

impl Carries for Manifest {
    const WHAT: &'static str = "Manifest";
}

impl Carries for Facts {
    const WHAT: &'static str = "Facts";
}

impl Carries for Opened {
    const WHAT: &'static str = "Facts";
}

impl Carries for crate::AdapterError {
    const WHAT: &'static str = "AdapterError";
}

impl Carries for WebhookRequest {
    const WHAT: &'static str = "WebhookRequest";

    fn raw_slot(&mut self) -> Option<&mut Vec<u8>> {
        Some(self.body.to_mut())
    }
}

impl Carries for Received {
    const WHAT: &'static str = "Received";

    fn raw_slot(&mut self) -> Option<&mut Vec<u8>> {
        Some(&mut self.response.body)
    }
}

impl Carries for Turn {
    const WHAT: &'static str = "Turn";

    fn raw_slot(&mut self) -> Option<&mut Vec<u8>> {
        match &mut self.reply {
            Some(Reply::Http(reply)) => Some(&mut reply.body),
            _ => None,
        }
    }
}

impl<T> Carries for Step<T> {
    const WHAT: &'static str = "Step";

    fn raw_slot(&mut self) -> Option<&mut Vec<u8>> {
        let Self::Call { request, .. } = self else {
            return None;
        };
        let body = match request {
            Request::Http(http) => &mut http.body,
            Request::Smtp(smtp) => &mut smtp.data,
            Request::Digest(digest) => &mut digest.body,
            Request::Push(_) => return None,
        };
        match body {
            Body::Bytes { bytes } | Body::Pieces { bytes, .. } => Some(bytes),
            Body::Empty | Body::Media { .. } => None,
        }
    }
}
