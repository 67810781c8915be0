//! What tests do with templates and reply windows of the simulated account.

use super::Twilio;
use super::content::{self, ContentTemplate};
use std::time::Duration;

impl Twilio {
    /// True for the paths of Twilio's APIs.
    pub(crate) fn serves(path: &str) -> bool {
        path.starts_with("/2010-04-01/") || path == content::PATH
    }

    /// Adds a template and gives its id. An account that has some refuses others with 21655.
    pub fn add_template(&self, template: ContentTemplate) -> String {
        let sid = template.sid.clone();
        self.inner.account.lock().templates.push(template);
        sid
    }

    /// Changes a template's approval.
    pub fn set_template_status(&self, sid: &str, status: &str, reason: &str) {
        let mut account = self.inner.account.lock();
        let known = account.templates.iter_mut();
        for template in known.filter(|template| template.sid == sid) {
            *template = template.clone().with_status(status, reason);
        }
    }

    /// Removes a template.
    pub fn remove_template(&self, sid: &str) {
        let templates = &mut self.inner.account.lock().templates;
        templates.retain(|template| template.sid != sid);
    }

    /// How long WhatsApp recipients may be answered freely after they wrote; 24 hours at first.
    pub fn set_reply_window(&self, length: Duration) {
        self.inner.account.lock().windows.set_length(length);
    }

    /// Forgets that a WhatsApp recipient wrote: free-form messages to them fail with 63016.
    pub fn close_window(&self, person: &str) {
        self.inner.account.lock().windows.forget(person);
    }
}
