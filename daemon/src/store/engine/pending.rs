//! A commit on its way to the disk.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::sync::oneshot;

use super::{Position, error::StoreError};

/// What a plan returned, to be had when its commit is durable and applied. A commit happens whether this is
/// awaited or dropped, but only awaiting it tells.
#[must_use = "nothing may be acknowledged before this has resolved"]
#[derive(Debug)]
pub struct Pending<R> {
    result: Option<R>,
    position: Position,
    /// None where there is nothing to wait for.
    done: Option<oneshot::Receiver<Result<(), StoreError>>>,
}

// Nothing in it is ever pinned.
impl<R> Unpin for Pending<R> {}

impl<R> Pending<R> {
    pub(super) fn new(
        result: R,
        position: Position,
        done: Option<oneshot::Receiver<Result<(), StoreError>>>,
    ) -> Self {
        Self {
            result: Some(result),
            position,
            done,
        }
    }

    /// What was planned, at once: for a caller that waits for a later commit before it relies on
    /// this one being durable.
    pub fn planned(mut self) -> R {
        self.take().0
    }

    /// Waits on this thread. Not to be called where futures run.
    pub fn wait(mut self) -> Result<(R, Position), StoreError> {
        if let Some(done) = self.done.take() {
            done.blocking_recv().unwrap_or(Err(StoreError::Closed))?;
        }
        Ok(self.take())
    }

    fn take(&mut self) -> (R, Position) {
        let result = self.result.take().expect("polled again after it was ready");
        (result, self.position)
    }
}

impl<R> Future for Pending<R> {
    type Output = Result<(R, Position), StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(done) = &mut self.done {
            let done = ready!(Pin::new(done).poll(context));
            self.done = None;
            done.unwrap_or(Err(StoreError::Closed))?;
        }
        Poll::Ready(Ok(self.take()))
    }
}
