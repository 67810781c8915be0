//! What goes to one open page: what it missed, then what is pushed, and a beat in between.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use actix_web::web;
use serde_json::json;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::{
    door::{Door, Entry},
    history,
    limits::PagePermit,
    refusal::Refusal,
    token::Visitor,
};
use crate::{
    model::{ChannelId, MessageId, PartRef},
    outbound::{Frame, JoinError, Subscription},
};

/// Between two beats, so that each side knows that the other is there. Well under what proxies allow.
pub(super) const BEAT: Duration = Duration::from_secs(20);

/// Longest wait for the history to hold what was pushed before.
const SETTLE_MAX: Duration = Duration::from_secs(2);

/// The frames for one page, in order.
pub(super) struct Feed {
    backlog: VecDeque<Frame>,
    live: Subscription,
    beat: Interval,
    door: Arc<Door>,
    channel: ChannelId,
    _permit: PagePermit,
}

impl Feed {
    /// Lets a page in. It is among the live ones before its history is read, and what was pushed before
    /// that is in the history, so nothing falls between the two; what is in both has one id, and the page
    /// shows it once.
    pub(super) async fn open(
        door: &Arc<Door>,
        entry: &Entry,
        visitor: &Visitor,
        after: Option<&str>,
    ) -> Result<Self, Refusal> {
        let permit = door.limits.page(entry.address)?;
        let gateway = &door.gateway;
        let live = gateway
            .sessions()
            .join(&entry.channel.id, visitor.as_str())
            .map_err(|error| match error {
                JoinError::Visitor | JoinError::Full => Refusal::full(),
            })?;
        let after = after.and_then(PartRef::parse);
        let after = after.map(|reference| reference.message);
        let backlog = backlog(door, entry, visitor, after).await?;
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beat.reset();
        Ok(Self {
            backlog,
            live,
            beat,
            door: door.clone(),
            channel: entry.channel.id.clone(),
            _permit: permit,
        })
    }

    /// The next frame; none where the session has ended. May be dropped while waiting.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        if let Some(frame) = self.backlog.pop_front() {
            return Some(frame);
        }
        tokio::select! {
            frame = self.live.next() => frame,
            _ = self.beat.tick() => {
                let registry = &self.door.gateway.registry;
                registry.get(self.channel.as_str()).map(|_| frame(&json!({"type": "beat"})))
            }
        }
    }
}

async fn backlog(
    door: &Arc<Door>,
    entry: &Entry,
    visitor: &Visitor,
    after: Option<MessageId>,
) -> Result<VecDeque<Frame>, Refusal> {
    let (store, files) = (door.gateway.store.clone(), door.files.clone());
    // Where it can't, the page gets what can be read.
    let _settled = timeout(SETTLE_MAX, store.settle()).await;
    let (channel, visitor) = (entry.channel.clone(), visitor.clone());
    let read = web::block(move || {
        let link = |sha256: &str| files.link(channel.org, sha256);
        history::missed(&store, &channel, &visitor, after, link)
    });
    let Ok(Ok(missed)) = read.await else {
        return Err(Refusal::unavailable());
    };
    let mut backlog = VecDeque::with_capacity(missed.len() + 2);
    backlog.push_back(frame(&json!({"type": "ready"})));
    backlog.extend(missed.iter().map(frame));
    backlog.push_back(frame(&json!({"type": "caught_up"})));
    Ok(backlog)
}

fn frame(value: &serde_json::Value) -> Frame {
    Frame::from(value.to_string())
}
