//! Free-form messages and templates on channels with a reply window: may this go, and what goes in
//! its place where it may not.
//!
//! ```text
//! accept ── open? ─────────────────> queue
//!   │ closed: reject ─> 422            │ taken: asked again (it may have closed meanwhile)
//!   │ closed: template, hold ─> queue  ├─ reject ─> failed
//!                                      ├─ template ─> the same message, with the template
//!  refused by the provider: the same ──┴─ hold ─> held until they write
//! ```

use jiff::Timestamp;
use trunkline_plugin_api::{Content, ErrorClass, Identity, TemplateCall};

mod due;

pub(super) use due::{Settler, inside};

use super::{accept::AcceptError, gate::Gate};
use crate::{
    channel::Channel,
    config::OutsideWindow,
    model::{
        Approval, Catalogue, Failure, Message, Millis, TemplateError, WindowState, mask_identifier,
        rendered,
    },
    store::{Outside, Store},
};

/// The code of everything about a closed window.
const WINDOW_CLOSED: &str = "window_closed";

/// What the reply window means for a message that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowOutlook {
    /// The window now.
    pub state: WindowState,
    /// What happens to the message by it: `send`, `hold` or `template:NAME`.
    pub then: String,
}

/// A template as the recipient would see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateOutlook {
    /// The call, completed.
    pub call: TemplateCall,
    /// Its text with the values in place, where the provider shows one.
    pub text: Option<String>,
}

impl Gate {
    /// Asks the reply window of a message that is to be accepted. A template may go at any time; a
    /// scheduled message is asked when its time comes.
    pub(super) fn check_window(
        &self,
        channel: &Channel,
        to: &Identity,
        content: &Content,
        send_at_ms: Option<Millis>,
    ) -> Result<Option<WindowOutlook>, AcceptError> {
        let Some(rule) = channel.window() else {
            return Ok(None);
        };
        let state = self.store.window_state(channel.org, to, &rule)?;
        let outlook = |then: &str| {
            Ok(Some(WindowOutlook {
                state,
                then: then.to_owned(),
            }))
        };
        let is_scheduled = send_at_ms.is_some_and(|at| at > self.store.now());
        if state.open || is_scheduled || content.template.is_some() {
            return outlook("send");
        }
        let policy = channel.config().outside_window.clone();
        match outside(&self.store, channel, to, content, &state) {
            Outside::Fail(failure) => Err(AcceptError::WindowClosed {
                detail: failure.message,
            }),
            Outside::Hold(_) | Outside::Send(_) => outlook(&policy.as_text()),
        }
    }

    /// Checks a call of a template against the channel's catalogue, and completes it. Where no
    /// catalogue was ever loaded the call goes as it is: the provider decides.
    pub fn check_template(
        &self,
        channel: &Channel,
        to: Option<&Identity>,
        call: &TemplateCall,
    ) -> Result<TemplateOutlook, AcceptError> {
        let Some(catalogue) = self.store.catalogue(channel.org, &channel.id) else {
            return Ok(TemplateOutlook {
                call: call.clone(),
                text: None,
            });
        };
        let approval = match (channel.window(), to) {
            (None, _) => Approval::None,
            (Some(rule), Some(to)) if self.store.window_state(channel.org, to, &rule)?.open => {
                Approval::OrNeverAsked
            }
            _ => Approval::Needed,
        };
        let refused = |error: TemplateError| AcceptError::Refused {
            code: error.code(),
            detail: error.to_string(),
        };
        let call = catalogue.check(call, approval).map_err(refused)?;
        let text = text_of(&catalogue, &call);
        Ok(TemplateOutlook { call, text })
    }
}

/// The text of a template with the values of a call in place.
fn text_of(catalogue: &Catalogue, call: &TemplateCall) -> Option<String> {
    let template = catalogue.find(call).ok()?;
    let body = template.body.as_deref()?;
    Some(rendered(body, &call.variables))
}

/// What becomes of a free-form message while the recipient's window is closed.
pub(super) fn outside(
    store: &Store,
    channel: &Channel,
    to: &Identity,
    content: &Content,
    state: &WindowState,
) -> Outside {
    match &channel.config().outside_window {
        OutsideWindow::Reject => {
            let words = format!(
                "{}: send an approved template, or have them write first",
                closed(to, state)
            );
            Outside::Fail(failure(words))
        }
        OutsideWindow::Hold => {
            let words = format!("{}: held until they write", closed(to, state));
            Outside::Hold(failure(words))
        }
        OutsideWindow::Template(name) => match carried(store, channel, name, content) {
            Ok(call) => Outside::Send(call),
            Err(why) => {
                let words = format!(
                    "{}, and template \"{name}\" can't go in place of the message: {why}",
                    closed(to, state)
                );
                Outside::Fail(failure(words))
            }
        },
    }
}

/// The call of the template that stands in for a message.
fn carried(
    store: &Store,
    channel: &Channel,
    name: &str,
    content: &Content,
) -> Result<TemplateCall, String> {
    let catalogue = store.catalogue(channel.org, &channel.id);
    let catalogue = catalogue.ok_or("the channel's templates were never listed; refresh them")?;
    let only_text = Content {
        text: content.text.clone(),
        ..Content::default()
    };
    match &content.text {
        Some(text) if *content == only_text => catalogue
            .carry(name, text)
            .map_err(|error| error.to_string()),
        _ => Err("a template carries text alone".into()),
    }
}

fn closed(to: &Identity, state: &WindowState) -> String {
    let who = mask_identifier(&to.identifier);
    let ended = state
        .expires_at_ms
        .and_then(|at_ms| Timestamp::from_millisecond(at_ms).ok());
    match ended {
        Some(ended) => format!("the reply window of {who} closed at {ended:.0}"),
        None => format!("the reply window of {who} is closed, as they have not written"),
    }
}

fn failure(message: String) -> Failure {
    Failure {
        class: ErrorClass::WindowClosed,
        code: WINDOW_CLOSED.into(),
        message,
        provider_code: None,
    }
}

/// The same for a message that is in the queue, or was. What is partly with the provider can't
/// become another message.
pub(super) fn outside_queued(
    store: &Store,
    channel: &Channel,
    message: &Message,
    state: &WindowState,
) -> Outside {
    let begun = message
        .parts
        .iter()
        .any(|part| part.status.is_with_provider());
    match outside(store, channel, &message.peer, &message.content, state) {
        Outside::Send(_) if begun => {
            let words = format!(
                "{} after a part of the message had gone",
                closed(&message.peer, state)
            );
            Outside::Fail(failure(words))
        }
        other => other,
    }
}
