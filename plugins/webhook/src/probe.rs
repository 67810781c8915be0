//! The live check: a HEAD of the URL. Any HTTP answer shows that the receiver is there; many take
//! nothing but POST, so its status says nothing.

use serde_json::Value;
use trunkline_plugin_api::{ErrorClass, HttpRequest, Probe, ProbeState, Step, Turn};

use crate::send::{self, Target};

/// Checks whether the receiver would answer now.
pub(crate) fn probe(target: Option<&Target>, turn: &Turn) -> Step<Probe> {
    let Some(target) = target else {
        return Step::done(down("No credentials configured"));
    };
    let Some(reply) = &turn.reply else {
        let request = HttpRequest::new("HEAD", target.url.as_str());
        return Step::call(request, Value::from("asked"));
    };
    match send::answer(reply) {
        Ok(_) => Step::done(Probe::new(ProbeState::Healthy)),
        Err(error) if error.class == ErrorClass::Config => Step::done(down(&error.message)),
        Err(error) => Step::fail(error),
    }
}

fn down(detail: &str) -> Probe {
    Probe {
        detail: Some(detail.into()),
        ..Probe::new(ProbeState::Down)
    }
}
