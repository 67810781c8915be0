//! What Twilio's debugger would show about the gateway's answers to webhooks and callbacks.

use crate::Answer;
use parking_lot::Mutex;
use std::collections::VecDeque;

/// How many complaints are kept.
const KEPT_MAX: usize = 1000;
/// Largest answer Twilio reads (error 11750).
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// One entry of the debugger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// The webhook's address.
    pub url: String,
    /// Twilio's error code.
    pub code: u32,
    /// What is wrong, in words.
    pub reason: String,
}

/// The latest complaints.
#[derive(Debug, Default)]
pub(super) struct Debugger {
    kept: Mutex<VecDeque<Complaint>>,
}

impl Debugger {
    /// Looks at an answer and keeps what is wrong with it.
    pub(super) fn look_at(&self, url: &str, answer: &Answer) {
        let Some((code, reason)) = complaint(answer) else {
            return;
        };
        let mut kept = self.kept.lock();
        if kept.len() == KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(Complaint {
            url: url.to_owned(),
            code,
            reason,
        });
    }

    /// The kept complaints, oldest first.
    pub(super) fn all(&self) -> Vec<Complaint> {
        self.kept.lock().iter().cloned().collect()
    }
}

/// The first thing Twilio would report (error dictionary: 11200, 11750, 12102, 12300).
fn complaint(answer: &Answer) -> Option<(u32, String)> {
    if !answer.is_success() {
        return Some((11200, format!("the answer was {}", answer.status)));
    }
    if answer.body.len() > ANSWER_BYTES_MAX {
        let length = answer.body.len();
        return Some((11750, format!("an answer of {length} bytes is too large")));
    }
    if answer.status == 204 && answer.body.is_empty() {
        return None;
    }
    let content_type = answer.header("content-type").unwrap_or("");
    let media_type = content_type.split(';').next().unwrap_or("").trim();
    match media_type.to_ascii_lowercase().as_str() {
        "text/xml" | "application/xml" if is_twiml(&answer.body) => None,
        "text/xml" | "application/xml" => {
            Some((12102, "the answer's root is not <Response>".to_owned()))
        }
        "text/plain" => None,
        _ => Some((12300, format!("content type `{content_type}`"))),
    }
}

/// Whether the document's root element is `Response`.
fn is_twiml(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start();
    let root = match text.strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>").map_or("", |(_, rest)| rest),
        None => text,
    };
    let root = root.trim_start().strip_prefix("<Response");
    root.is_some_and(|rest| rest.starts_with(['>', '/', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn code(status: u16, content_type: &str, body: &str) -> Option<u32> {
        let answer = Answer {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: body.as_bytes().to_vec(),
            elapsed: Duration::ZERO,
            attempts: 1,
        };
        complaint(&answer).map(|(code, _)| code)
    }

    #[test]
    fn answers_are_judged_as_the_debugger_would() {
        let twiml = r#"<?xml version="1.0" encoding="UTF-8"?><Response/>"#;
        let long = " ".repeat(64 * 1024 + 1);
        for (status, content_type, body, expected) in [
            (200, "text/xml", twiml, None),
            (
                200,
                "text/xml; charset=utf-8",
                "<Response></Response>",
                None,
            ),
            (204, "", "", None),
            (200, "text/plain", "", None),
            (200, "", "", Some(12300)),
            (200, "application/json", "{}", Some(12300)),
            (200, "text/xml", "<Responses/>", Some(12102)),
            (200, "text/xml", "", Some(12102)),
            (200, "text/xml", &long, Some(11750)),
            (401, "text/xml", twiml, Some(11200)),
            (503, "", "", Some(11200)),
        ] {
            assert_eq!(
                code(status, content_type, body),
                expected,
                "{status} {content_type}"
            );
        }
    }
}
