//! A daemon and a simulator that know each other.

use serde_json::Value;
use trunkline_simulator::Simulator;
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::daemon::Daemon;
use trunkline_tests::http::{Reply, Request};
use trunkline_tests::twilio::{Hook, Sms};
use trunkline_tests::wait::{SOON, eventually};

/// The id of the channel that most tests use.
pub(crate) const SMS: &str = "sms_support";

/// The pair.
pub(crate) struct Stage {
    pub(crate) daemon: Daemon,
    pub(crate) simulator: Simulator,
}

impl Stage {
    /// Starts a simulator, and a daemon with the configuration made for it.
    pub(crate) async fn new(configure: impl FnOnce(&Simulator) -> Config) -> Self {
        let simulator = Simulator::start().expect("the simulator starts");
        let daemon = Daemon::start(configure(&simulator)).await;
        Self { daemon, simulator }
    }

    /// One Twilio channel, `sms_support`, on `+15550100`.
    pub(crate) async fn sms() -> Self {
        Self::new(|simulator| Config::new().channel(twilio(SMS, simulator))).await
    }

    /// Twilio's view of a channel's webhook.
    pub(crate) fn hook(&self, channel: &str) -> Hook {
        let config = self.daemon.config().find(channel);
        Hook {
            url: self.daemon.url(channel),
            account_sid: config.get("account_sid").to_owned(),
            auth_token: config.get("auth_token").to_owned(),
        }
    }

    /// Sends bytes to the public listener.
    pub(crate) async fn post(&self, request: &Request) -> Reply {
        let sent = tokio::time::timeout(SOON, request.send(self.daemon.public())).await;
        let sent = sent.unwrap_or_else(|_| panic!("no answer to {request:?}"));
        sent.unwrap_or_else(|why| panic!("{why} at {request:?}"))
    }

    /// Delivers a signed message to a channel and gives the answer's status.
    pub(crate) async fn deliver(&self, channel: &str, sms: &Sms) -> u16 {
        self.post(&self.hook(channel).request(sms)).await.status
    }

    /// The only message with this person; waits for it.
    pub(crate) async fn only_message(&self, identifier: &str) -> Value {
        eventually(&format!("a message of {identifier}"), SOON, || async {
            let mut messages = self.daemon.api().timeline(identifier).await;
            assert!(messages.len() < 2, "more than one: {messages:?}");
            messages.pop()
        })
        .await
    }

    /// The webhook events of a channel, newest first.
    pub(crate) async fn events(&self, channel: &str) -> Vec<Value> {
        self.daemon
            .api()
            .all(&format!("/api/v1/webhook-events?channel={channel}"))
            .await
    }

    /// Waits for the newest event of a channel that `matches`.
    pub(crate) async fn event(
        &self,
        channel: &str,
        what: &str,
        matches: impl Fn(&Value) -> bool,
    ) -> Value {
        eventually(what, SOON, || async {
            self.events(channel)
                .await
                .into_iter()
                .find(|event| matches(event))
        })
        .await
    }
}

/// A Twilio channel of the simulator's account.
pub(crate) fn twilio(id: &str, simulator: &Simulator) -> Channel {
    let account = simulator.twilio();
    Channel::twilio(
        id,
        &account.account_sid(),
        &account.auth_token(),
        &simulator.url(),
    )
    .config("from", account.number())
}
