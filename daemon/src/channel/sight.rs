//! Waits for a channel that was lost while a call on it was under way.

use tokio::{sync::watch, time::Instant};

use super::handle::{Channel, Running};

/// What ran when a call began.
pub struct Sight(watch::Receiver<Running>);

impl Sight {
    /// What runs now.
    pub fn of(channel: &Channel) -> Self {
        let mut running = channel.watch();
        running.mark_unchanged();
        Self(running)
    }

    /// Waits until another actor runs: true where a call may be made again. False at once where the channel
    /// was given up or stopped, and at the deadline where it is still down.
    pub async fn comes_back(mut self, deadline: Instant) -> bool {
        if matches!(*self.0.borrow(), Running::Down(_)) {
            return false;
        }
        let running = &mut self.0;
        let settled = async {
            running.changed().await.ok()?;
            let is_settled = |state: &Running| is_live(state) || matches!(state, Running::Down(_));
            let state = running.wait_for(is_settled).await.ok()?;
            Some(is_live(&state))
        };
        let came = tokio::time::timeout_at(deadline, settled).await;
        match came {
            Ok(came) => came == Some(true),
            // Where it was slow and not gone, there is no other.
            Err(_) => is_live(&self.0.borrow()),
        }
    }
}

fn is_live(state: &Running) -> bool {
    matches!(state, Running::Live(address) if address.connected())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[tokio::test]
    async fn it_waits_while_a_channel_restarts_and_not_where_it_was_given_up() {
        let (tell, running) = watch::channel(Running::Restarting("it ended".into()));
        assert!(!Sight(running.clone()).comes_back(soon()).await);
        let later = Instant::now() + Duration::from_secs(3600);
        let waiting = tokio::spawn(Sight(running.clone()).comes_back(later));
        tell.send_replace(Running::Down("it was given up".into()));
        assert!(!waiting.await.expect("it ends"));
        assert!(!Sight(running).comes_back(later).await);
    }
}
