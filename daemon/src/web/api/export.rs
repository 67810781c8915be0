//! Everything that is kept of one person, as JSON lines: each is `{"type": ..., ...}` in the shapes of the API.

use std::io::Read as _;

use actix_web::{
    HttpResponse,
    web::{self, Bytes},
};
use data_encoding::BASE64;
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    contacts,
    exchange::{FAREWELL, Outlet, STALL_MAX},
    shapes::{self, maybe_time, time},
};
use crate::{
    gateway::Gateway,
    model::{ContactId, MediaHash, Notification, OrgId, Role, WebhookEvent},
    store::{Reached, Store, StoreError},
    web::{auth::Caller, problem::Problem},
};

/// Messages read at once.
const PAGE: usize = 100;
/// Lines on their way to whoever reads them.
const LINES_WAITING: usize = 64;
/// Bytes of a file in one line; a larger one has several.
const CHUNK_BYTES: usize = 768 * 1024;

#[derive(Debug, Deserialize)]
pub(super) struct Query {
    #[serde(default)]
    media: bool,
}

/// Streams it. The bytes of files are in it where `media=true` asks for them.
pub(super) async fn contact(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
    query: web::Query<Query>,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Admin)?;
    let id = id.parse().map_err(|_| Problem::not_found("contact"))?;
    let (org, _) = contacts::find(&gateway, &caller, id)?;
    let (lines, reader) = mpsc::channel(LINES_WAITING);
    let export = Export {
        store: gateway.store.clone(),
        slug: gateway.store.slug(org),
        org,
        contact: id,
        media: query.media,
        lines: Outlet::new(lines),
    };
    actix_web::rt::task::spawn_blocking(move || export.run());
    let lines = stream::unfold(reader, |mut reader| async move {
        reader.recv().await.map(|line| (line, reader))
    });
    Ok(HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .streaming(lines))
}

type Line = Result<Bytes, StoreError>;

/// Why an export ended early.
enum Ended {
    /// Nobody reads it, or nothing of it for long.
    Unread,
    Store(StoreError),
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

struct Export {
    store: Store,
    slug: String,
    org: OrgId,
    contact: ContactId,
    media: bool,
    lines: Outlet<Line>,
}

impl Export {
    fn run(self) {
        if let Err(Ended::Store(error)) = self.write() {
            tracing::warn!(event = "export_broke_off", contact = %self.contact, %error, "an export broke off");
            // Nobody may read any more.
            self.lines.send(Err(error), FAREWELL);
        }
    }

    fn write(&self) -> Result<(), Ended> {
        let (org, slug) = (self.org, &self.slug);
        self.line(
            "export",
            json!({
                "contact": self.contact.to_string(),
                "organization": slug,
                "at": time(self.store.now()),
                "version": env!("CARGO_PKG_VERSION"),
            }),
        )?;
        for part in self.store.contact_parts(org, self.contact)? {
            self.line("contact", shapes::contact(slug, &part))?;
            for known in &part.identities {
                for entry in self.store.consents_of(org, &known.identity)? {
                    self.line("consent", shapes::consent(slug, &entry))?;
                }
            }
            for thread in self.store.contact_threads(org, part.id)? {
                self.line("thread", shapes::thread(slug, &thread))?;
            }
        }
        self.messages()?;
        let mut unread = false;
        self.store.reach(org, self.contact, &mut |reached| {
            unread = self.reached(reached).is_err();
            !unread
        })?;
        if unread {
            return Err(Ended::Unread);
        }
        self.line("end", json!({}))
    }

    fn messages(&self) -> Result<(), Ended> {
        let mut before = None;
        loop {
            let page = self.store.timeline(self.org, self.contact, before, PAGE)?;
            for message in &page.items {
                self.line("message", shapes::message(&self.slug, message))?;
                let files = message.content.media.iter();
                for name in files.filter_map(|media| media.source.sha256.as_deref()) {
                    self.file(name)?;
                }
            }
            before = page.next;
            if before.is_none() {
                return Ok(());
            }
        }
    }

    fn file(&self, name: &str) -> Result<(), Ended> {
        let Ok(hash) = name.parse::<MediaHash>() else {
            return Ok(());
        };
        let Some(record) = self.store.media(self.org, &hash)? else {
            return Ok(());
        };
        self.line("media", shapes::media_file(&hash, &record))?;
        if !self.media {
            return Ok(());
        }
        let failed = |error: std::io::Error| {
            StoreError::Failed(format!("the file {hash} can't be read: {error}"))
        };
        let files = self.store.media_files();
        let mut file = files.open(&hash, record.size).map_err(failed)?;
        let mut offset = 0_usize;
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = file.read(&mut chunk).map_err(failed)?;
            if read == 0 {
                return Ok(());
            }
            let data = BASE64.encode(&chunk[..read]);
            self.line(
                "media_bytes",
                json!({"sha256": name, "offset": offset, "data": data}),
            )?;
            offset += read;
        }
    }

    fn reached(&self, reached: Reached) -> Result<(), Ended> {
        match reached {
            Reached::Window(identifier, scope, window) => self.line(
                "window",
                json!({
                    "identifier": identifier,
                    "scope": scope,
                    "heard_at": maybe_time(window.heard_at_ms),
                    "refused_at": maybe_time(window.refused_at_ms),
                }),
            ),
            Reached::Event(event) => self.line("webhook_event", self.event(&event)),
            Reached::Notification(one) => self.line("notification", notification(&one)),
        }
    }

    /// A webhook with the body of its request, in base64. Its address and headers are left out: they hold secrets of
    /// the installation.
    fn event(&self, event: &WebhookEvent) -> Value {
        let body = match &event.raw_file {
            Some(name) => self.store.files().read(name).unwrap_or_default(),
            None => event.raw_body.clone(),
        };
        let mut shown = shapes::event(event);
        shown["body"] = json!(BASE64.encode(&body));
        shown
    }

    fn line(&self, kind: &str, mut value: Value) -> Result<(), Ended> {
        value["type"] = kind.into();
        let line = Bytes::from(format!("{value}\n"));
        let sent = self.lines.send(Ok(line), STALL_MAX);
        sent.then_some(()).ok_or(Ended::Unread)
    }
}

fn notification(one: &Notification) -> Value {
    json!({
        "id": one.id.to_string(),
        "channel": one.channel,
        "kind": one.kind,
        "words": one.words,
        "count": one.count,
        "first_at": time(one.first_at_ms),
        "last_at": time(one.last_at_ms),
    })
}
