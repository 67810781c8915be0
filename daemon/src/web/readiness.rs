//! Whether to send traffic here.

use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::{HttpResponse, web};

use crate::gateway::Gateway;

/// On while both listeners serve; off for good once a stop has begun.
#[derive(Default)]
pub struct Readiness(AtomicBool);

impl Readiness {
    /// The listeners serve.
    pub fn enter(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// A stop has begun.
    pub fn leave(&self) {
        self.0.store(false, Ordering::Release);
    }

    /// Whether to send traffic here.
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

pub(super) async fn readyz(
    readiness: web::Data<Readiness>,
    gateway: web::Data<Gateway>,
) -> HttpResponse {
    let why_not = if readiness.is_ready() {
        gateway.store.trouble()
    } else {
        Some("stopping".to_owned())
    };
    match why_not {
        None => HttpResponse::Ok().content_type("text/plain").body("ready"),
        Some(words) => HttpResponse::ServiceUnavailable()
            .content_type("text/plain")
            .body(words),
    }
}
