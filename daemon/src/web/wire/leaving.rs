//! An orderly stop, as the connections of the public listener see it.

use futures_util::{FutureExt as _, future::LocalBoxFuture};
use tokio::sync::watch;

/// How far a stop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// There is none.
    Serving,
    /// Each answer says that it is the last on its connection.
    Closing,
    /// Connections on which nothing is under way end.
    Leaving,
}

/// Tells connections of a stop. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::web) struct Leaving(watch::Sender<Stage>);

impl Default for Leaving {
    fn default() -> Self {
        Self(watch::Sender::new(Stage::Serving))
    }
}

impl Leaving {
    /// From now on each answer closes its connection.
    pub(in crate::web) fn close_after_answers(&self) {
        self.0.send_replace(Stage::Closing);
    }

    /// From now on connections on which nothing is under way end.
    pub(in crate::web) fn leave(&self) {
        self.0.send_replace(Stage::Leaving);
    }

    /// Whether an answer is to be the last on its connection.
    pub(super) fn has_begun(&self) -> bool {
        *self.0.borrow() > Stage::Serving
    }

    /// Waits until connections are to end.
    pub(super) fn asked(self) -> LocalBoxFuture<'static, ()> {
        let mut stage = self.0.subscribe();
        async move {
            let asked = stage
                .wait_for(|stage| *stage == Stage::Leaving)
                .await
                .is_ok();
            if !asked {
                std::future::pending::<()>().await;
            }
        }
        .boxed_local()
    }
}
