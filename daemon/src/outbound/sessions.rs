//! Live sessions of chat visitors, and the frames that are pushed to them.
//!
//! ```text
//! adapter ── Request::Push ──> Sessions ──> one bounded queue for each open page ──> web/chat
//! ```
//!
//! Nothing here is kept: a page that was closed, or too slow to take its frames, reads what it missed
//! from the visitor's timeline when it comes back. So a queue that is full ends its session instead of
//! holding up a sender.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::mpsc;
use trunkline_plugin_api::PushReply;

use crate::model::ChannelId;

/// Frames that wait for one page.
const QUEUE_MAX: usize = 64;
/// Pages of one visitor.
const PER_VISITOR_MAX: usize = 8;
/// Pages of all visitors.
const SESSIONS_MAX: usize = 10_000;
/// For how long a visitor is shown as writing after they last said so.
const TYPING: Duration = Duration::from_secs(8);

/// A frame as it goes over the wire; shared by all pages that get it.
pub type Frame = Arc<str>;

/// A visitor of a channel.
type Place = (ChannelId, String);

/// All live sessions. Cheap to clone.
#[derive(Clone, Default)]
pub struct Sessions(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    visitors: HashMap<Place, Visitor>,
    count: usize,
    last_id: u64,
    closed: bool,
}

#[derive(Default)]
struct Visitor {
    pages: Vec<Page>,
    typing_until: Option<Instant>,
}

struct Page {
    id: u64,
    frames: mpsc::Sender<Frame>,
}

/// Why a page is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// The visitor has as many pages open as one may have.
    #[error("this visitor has {PER_VISITOR_MAX} pages open already")]
    Visitor,
    /// So have all visitors together, or the daemon is stopping.
    #[error("the chat takes no more visitors now")]
    Full,
}

/// Whether a visitor is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Presence {
    /// A page of theirs is open.
    pub online: bool,
    /// They are writing.
    pub typing: bool,
}

impl Sessions {
    /// Lets a visitor's page in; it gets every frame pushed from now on.
    pub fn join(&self, channel: &ChannelId, visitor: &str) -> Result<Subscription, JoinError> {
        let place = (channel.clone(), visitor.to_owned());
        let mut inner = self.0.lock();
        if inner.closed || inner.count >= SESSIONS_MAX {
            return Err(JoinError::Full);
        }
        let known = inner.visitors.get(&place);
        if known.is_some_and(|visitor| visitor.pages.len() >= PER_VISITOR_MAX) {
            return Err(JoinError::Visitor);
        }
        inner.last_id += 1;
        inner.count += 1;
        let id = inner.last_id;
        let (sender, frames) = mpsc::channel(QUEUE_MAX);
        let visitor = inner.visitors.entry(place.clone()).or_default();
        visitor.pages.push(Page { id, frames: sender });
        Ok(Subscription {
            sessions: self.clone(),
            place,
            id,
            frames,
        })
    }

    /// Hands a frame to every page of a visitor. A page whose queue is full is let go.
    pub fn push(&self, channel: &ChannelId, visitor: &str, frame: &Frame) -> PushReply {
        let place = (channel.clone(), visitor.to_owned());
        let mut inner = self.0.lock();
        let Some(known) = inner.visitors.get_mut(&place) else {
            return PushReply::default();
        };
        let before = known.pages.len();
        known
            .pages
            .retain(|page| page.frames.try_send(frame.clone()).is_ok());
        let took = known.pages.len();
        if took == 0 {
            inner.visitors.remove(&place);
        }
        inner.count -= before - took;
        PushReply {
            sessions: u32::try_from(took).unwrap_or(u32::MAX),
        }
    }

    /// A visitor began or ended writing. Says so only of those who are there.
    pub fn note_typing(&self, channel: &ChannelId, visitor: &str, is_typing: bool) {
        let place = (channel.clone(), visitor.to_owned());
        if let Some(known) = self.0.lock().visitors.get_mut(&place) {
            known.typing_until = is_typing.then(|| Instant::now() + TYPING);
        }
    }

    /// Whether a visitor is there.
    pub fn presence(&self, channel: &ChannelId, visitor: &str) -> Presence {
        let place = (channel.clone(), visitor.to_owned());
        let inner = self.0.lock();
        let Some(known) = inner.visitors.get(&place) else {
            return Presence::default();
        };
        let typing = known.typing_until.is_some_and(|end| end > Instant::now());
        Presence {
            online: true,
            typing,
        }
    }

    /// How many pages are open.
    pub fn len(&self) -> usize {
        self.0.lock().count
    }

    /// True where no page is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends every session and lets nobody in any more: the daemon is stopping.
    pub fn close(&self) {
        let mut inner = self.0.lock();
        inner.closed = true;
        inner.count = 0;
        inner.visitors.clear();
    }

    fn leave(&self, place: &Place, id: u64) {
        let mut inner = self.0.lock();
        let Some(known) = inner.visitors.get_mut(place) else {
            return;
        };
        let before = known.pages.len();
        known.pages.retain(|page| page.id != id);
        let left = before - known.pages.len();
        if known.pages.is_empty() {
            inner.visitors.remove(place);
        }
        inner.count -= left;
    }
}

/// One page's place among the live sessions; dropping it gives it up.
pub struct Subscription {
    sessions: Sessions,
    place: Place,
    id: u64,
    frames: mpsc::Receiver<Frame>,
}

impl Subscription {
    /// The next frame; none where the session was ended. May be dropped while waiting.
    pub async fn next(&mut self) -> Option<Frame> {
        self.frames.recv().await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.sessions.leave(&self.place, self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web() -> ChannelId {
        ChannelId::new("web")
    }

    fn frame(text: &str) -> Frame {
        Frame::from(text)
    }

    #[tokio::test]
    async fn a_frame_goes_to_all_pages_of_one_visitor_and_to_no_other() {
        let sessions = Sessions::default();
        let mut first = sessions.join(&web(), "ada").unwrap();
        let mut second = sessions.join(&web(), "ada").unwrap();
        let mut other = sessions.join(&web(), "bob").unwrap();
        let mut elsewhere = sessions.join(&ChannelId::new("shop"), "ada").unwrap();
        assert_eq!(sessions.push(&web(), "ada", &frame("hi")).sessions, 2);
        assert_eq!(first.next().await.as_deref(), Some("hi"));
        assert_eq!(second.next().await.as_deref(), Some("hi"));
        assert!(other.frames.try_recv().is_err());
        assert!(elsewhere.frames.try_recv().is_err());
        assert_eq!(sessions.push(&web(), "carl", &frame("hi")).sessions, 0);
    }

    #[tokio::test]
    async fn who_does_not_read_is_let_go_and_holds_nobody_up() {
        let sessions = Sessions::default();
        let mut slow = sessions.join(&web(), "ada").unwrap();
        for _ in 0..QUEUE_MAX {
            assert_eq!(sessions.push(&web(), "ada", &frame("x")).sessions, 1);
        }
        assert_eq!(sessions.push(&web(), "ada", &frame("x")).sessions, 0);
        assert!(sessions.is_empty());
        for _ in 0..QUEUE_MAX {
            assert!(slow.next().await.is_some());
        }
        assert!(slow.next().await.is_none(), "the session has ended");
        drop(slow);
        assert!(sessions.is_empty());
    }

    #[tokio::test]
    async fn places_are_bounded_and_given_back() {
        let sessions = Sessions::default();
        let pages: Vec<_> = (0..PER_VISITOR_MAX)
            .map(|_| sessions.join(&web(), "ada").unwrap())
            .collect();
        assert_eq!(sessions.join(&web(), "ada").err(), Some(JoinError::Visitor));
        assert!(sessions.join(&web(), "bob").is_ok());
        drop(pages);
        assert!(sessions.is_empty());
        let mut page = sessions.join(&web(), "ada").unwrap();
        sessions.close();
        assert!(page.next().await.is_none());
        assert_eq!(sessions.join(&web(), "ada").err(), Some(JoinError::Full));
        drop(page);
        assert_eq!(sessions.len(), 0);
    }

    #[test]
    fn who_writes_is_there() {
        let sessions = Sessions::default();
        sessions.note_typing(&web(), "ada", true);
        assert_eq!(sessions.presence(&web(), "ada"), Presence::default());
        let page = sessions.join(&web(), "ada").unwrap();
        sessions.note_typing(&web(), "ada", true);
        let there = sessions.presence(&web(), "ada");
        assert!(there.online && there.typing);
        sessions.note_typing(&web(), "ada", false);
        assert!(!sessions.presence(&web(), "ada").typing);
        drop(page);
        assert!(!sessions.presence(&web(), "ada").online);
    }
}
