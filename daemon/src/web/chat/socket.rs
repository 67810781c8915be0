//! The WebSocket: frames both ways. The token comes in the first frame and not in the address, which
//! proxies write down.
//!
//! ```text
//! page ── hello {token, after} ──> ready, what it missed, caught_up, then what is pushed
//!      ── message ─────────────> accepted, after the commit
//! ```

use std::{net::IpAddr, sync::Arc, time::Duration};

use actix_web::{HttpRequest, HttpResponse, web};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseCode, CloseReason, Session};
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    door::{Door, Entry},
    feed::{BEAT, Feed},
    frame::{ClientFrame, FRAME_BYTES_MAX},
    refusal::Refusal,
    take::Guest,
    token::Visitor,
};
use crate::model::ChannelId;

/// Time for the first frame.
const HELLO: Duration = Duration::from_secs(10);
/// Time for the page to take a frame: who is slower comes back and catches up.
const SLOW: Duration = Duration::from_secs(10);
/// A page that says nothing for so long, no pong either, is gone.
const SILENT: Duration = Duration::from_secs(BEAT.as_secs() * 3 + 10);
/// Frames in a row that are refused for what they are; then the session ends.
const FAULTS_MAX: u32 = 20;

/// Takes a WebSocket.
pub(super) async fn open(
    door: web::Data<Door>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let entry = match door.enter(&request) {
        Ok(entry) => entry,
        Err(refusal) => return refusal.answer(None),
    };
    let (response, session, stream) = match actix_ws::handle(&request, payload) {
        Ok(opened) => opened,
        Err(error) => return error.error_response(),
    };
    let incoming = stream
        .max_frame_size(FRAME_BYTES_MAX)
        .aggregate_continuations()
        .max_continuation_size(FRAME_BYTES_MAX);
    let line = Line { session, incoming };
    actix_web::rt::spawn(line.serve(door.into_inner(), entry));
    response
}

/// One connection.
struct Line {
    session: Session,
    incoming: AggregatedMessageStream,
}

/// Why a connection ends.
enum End {
    /// The page has gone, or does not answer.
    Gone,
    /// It is not let in, or not any more.
    Refused(Refusal),
}

impl Line {
    async fn serve(mut self, door: Arc<Door>, entry: Entry) {
        let reason = match self.run(&door, &entry).await {
            End::Gone => CloseReason::from(CloseCode::Away),
            End::Refused(refusal) => {
                let _ = self.say(&refusal.frame(None)).await;
                let code = if refusal.passes() {
                    CloseCode::Again
                } else {
                    CloseCode::Policy
                };
                CloseReason::from((code, refusal.code))
            }
        };
        let _ = timeout(SLOW, self.session.close(Some(reason))).await;
    }

    async fn run(&mut self, door: &Arc<Door>, entry: &Entry) -> End {
        let (visitor, mut feed) = match self.hello(door, entry).await {
            Ok(greeted) => greeted,
            Err(end) => return end,
        };
        let talk = Talk {
            door,
            channel: &entry.channel.id,
            address: entry.address,
            visitor: &visitor,
        };
        let mut faults = 0;
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                frame = feed.next() => {
                    let Some(frame) = frame else {
                        return End::Gone;
                    };
                    let beat = frame.contains("\"beat\"") && self.session.ping(b"").await.is_err();
                    if beat || self.send(frame.to_string()).await.is_err() {
                        return End::Gone;
                    }
                }
                said = timeout_at(heard + SILENT, self.next()) => {
                    let Ok(Ok(said)) = said else {
                        return End::Gone;
                    };
                    heard = Instant::now();
                    let Some(text) = said else {
                        continue;
                    };
                    let (answer, is_fault) = talk.take(text.as_bytes()).await;
                    faults = if is_fault { faults + 1 } else { 0 };
                    let told = match answer {
                        Some(answer) => self.say(&answer).await,
                        None => Ok(()),
                    };
                    if told.is_err() || faults >= FAULTS_MAX {
                        return End::Gone;
                    }
                }
            }
        }
    }

    /// Waits for the first frame, and lets its sender in.
    async fn hello(&mut self, door: &Arc<Door>, entry: &Entry) -> Result<(Visitor, Feed), End> {
        let deadline = Instant::now() + HELLO;
        let text = loop {
            match timeout_at(deadline, self.next()).await {
                Ok(Ok(Some(text))) => break text,
                Ok(Ok(None)) => {}
                Ok(Err(())) | Err(_) => return Err(End::Gone),
            }
        };
        let first = ClientFrame::parse(text.as_bytes()).map_err(End::Refused)?;
        let ClientFrame::Hello { token, after } = first else {
            let words = "the first frame must be hello";
            return Err(End::Refused(Refusal::invalid(words)));
        };
        let visitor = door.visitor(entry, &token).await.map_err(End::Refused)?;
        let feed = Feed::open(door, entry, &visitor, after.as_deref()).await;
        feed.map(|feed| (visitor, feed)).map_err(End::Refused)
    }

    /// The next text; none for what only shows that the page lives. The error: it has gone.
    async fn next(&mut self) -> Result<Option<String>, ()> {
        match self.incoming.recv().await {
            Some(Ok(AggregatedMessage::Text(text))) => Ok(Some(text.to_string())),
            Some(Ok(AggregatedMessage::Ping(bytes))) => {
                let answered = timeout(SLOW, self.session.pong(&bytes)).await;
                answered.map_err(|_| ())?.map_err(|_| ())?;
                Ok(None)
            }
            Some(Ok(AggregatedMessage::Pong(_))) => Ok(None),
            Some(Ok(AggregatedMessage::Binary(_) | AggregatedMessage::Close(_)) | Err(_))
            | None => Err(()),
        }
    }

    async fn say(&mut self, frame: &Value) -> Result<(), ()> {
        self.send(frame.to_string()).await
    }

    async fn send(&mut self, text: String) -> Result<(), ()> {
        let sent = timeout(SLOW, self.session.text(text)).await;
        sent.map_err(|_| ())?.map_err(|_| ())
    }
}

/// What a visitor's frames are taken with.
struct Talk<'a> {
    door: &'a Arc<Door>,
    channel: &'a ChannelId,
    address: IpAddr,
    visitor: &'a Visitor,
}

impl Talk<'_> {
    /// Takes one frame. Gives the answer, and whether it was one that can never be taken.
    async fn take(&self, text: &[u8]) -> (Option<Value>, bool) {
        let frame = match ClientFrame::parse(text) {
            Ok(frame) => frame,
            Err(refusal) => return (Some(refusal.frame(None)), true),
        };
        let client = match &frame {
            ClientFrame::Message(written) => Some(written.client.clone()),
            ClientFrame::Beat => return (None, false),
            _ => None,
        };
        // A reload may have put another in its place since the page came.
        let Some(channel) = self.door.gateway.registry.get(self.channel.as_str()) else {
            let refusal = Refusal::unavailable();
            return (Some(refusal.frame(client.as_deref())), false);
        };
        let guest = Guest {
            door: self.door,
            channel: &channel,
            visitor: self.visitor,
            address: self.address,
        };
        match guest.take(frame).await {
            Ok(answer) => (answer, false),
            Err(refusal) => {
                let is_fault = !refusal.passes();
                (Some(refusal.frame(client.as_deref())), is_fault)
            }
        }
    }
}
