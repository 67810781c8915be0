//! Messages to the account's own numbers that come back as incoming ones.

use super::Twilio;
use super::inbound::InboundSms;

impl Twilio {
    /// Delivers messages that are sent to one of the account's own numbers to `url`, as incoming ones;
    /// none takes that back.
    pub fn loop_back(&self, number: &str, url: Option<&str>) {
        let loops = &mut self.inner.account.lock().loops;
        match url {
            Some(url) => loops.insert(number.to_owned(), url.to_owned()),
            None => loops.remove(number),
        };
    }

    /// Starts the delivery of an accepted message whose recipient is looped back.
    pub(super) fn begin_loop(&self, sid: &str) {
        let account = self.inner.account.lock();
        let Some(message) = account.ledger.get(sid) else {
            return;
        };
        let Some(url) = account.loops.get(&message.to).cloned() else {
            return;
        };
        let sms = InboundSms::text(&message.from, &message.to, &message.body);
        drop(account);
        let twilio = self.clone();
        self.inner.courier.spawn(async move {
            // The debugger keeps what was wrong with the answer.
            let _ = twilio.inbound(&url, &sms).await;
        });
    }
}
