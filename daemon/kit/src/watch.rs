//! What is watched over every call, whichever check makes it: forbidden system calls, secrets that
//! show, sizes and times.

use std::time::Duration;

use serde_json::Value;
use trunkline_plugin_api::{
    Request, Step,
    testkit::case::read_step,
    wire::{self, Code, Op},
};

use crate::checks::cursor_bytes_max;

/// Different findings of one kind that are kept.
const KEPT_MAX: usize = 8;

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Forbidden things that the plugin tried, and in what.
    pub(crate) forbidden: Vec<String>,
    /// Places where a secret showed.
    pub(crate) leaks: Vec<String>,
    /// Answers larger than allowed.
    pub(crate) oversized: Vec<String>,
    /// Times of all calls.
    pub(crate) times: Vec<Duration>,
    /// The slowest call.
    pub(crate) slowest: Option<(Duration, String)>,
    /// The largest answer, in bytes.
    pub(crate) largest: Option<(usize, String)>,
    /// Cursors that are too large: in what, bytes, bytes allowed.
    pub(crate) cursors: Vec<(String, usize, usize)>,
    /// Secrets in both forms that they can show in: plain, and as JSON writes them.
    secrets: Vec<String>,
}

impl Watch {
    /// Looks for these from here on, too.
    pub(crate) fn add_secrets(&mut self, secrets: &[String]) {
        for secret in secrets {
            let quoted = Value::from(secret.as_str()).to_string();
            let escaped = quoted.trim_matches('"');
            for form in [secret.as_str(), escaped] {
                if !self.secrets.iter().any(|known| known == form) {
                    self.secrets.push(form.to_owned());
                }
            }
        }
    }

    /// How many secrets are looked for.
    pub(crate) fn has_secrets(&self) -> bool {
        !self.secrets.is_empty()
    }

    /// Notes a call that was answered.
    pub(crate) fn answered(&mut self, label: &str, took: Duration, size: usize) {
        self.times.push(took);
        if self
            .slowest
            .as_ref()
            .is_none_or(|(longest, _)| took > *longest)
        {
            self.slowest = Some((took, label.to_owned()));
        }
        if self.largest.as_ref().is_none_or(|(most, _)| size > *most) {
            self.largest = Some((size, label.to_owned()));
        }
    }

    /// Notes something forbidden.
    pub(crate) fn forbidden(&mut self, label: &str, what: &str) {
        keep(&mut self.forbidden, format!("{what}, in {label}"));
    }

    /// Notes an answer that is too large.
    pub(crate) fn oversized(&mut self, label: &str) {
        keep(&mut self.oversized, label.to_owned());
    }

    /// Looks for secrets in what the plugin wrote as an answer.
    pub(crate) fn look_at_answer(&mut self, label: &str, op: u32, code: i32, bytes: &[u8]) {
        let is_ok = code == Code::Ok as i32;
        let op = Op::from_number(op).filter(|op| is_ok && *op != Op::Receive);
        let step = op.and_then(|op| {
            let (json, raw) = wire::read_parts(bytes).ok()?;
            read_step(op, json, raw).ok()
        });
        match step {
            Some(Step::Call { request, cursor }) => {
                self.look_at_step(label, &request, &cursor, op == Some(Op::Templates));
            }
            _ => self.look("the answer", label, &String::from_utf8_lossy(bytes)),
        }
    }

    fn look_at_step(&mut self, label: &str, request: &Request, cursor: &Value, is_templates: bool) {
        let cursor = cursor.to_string();
        let max = cursor_bytes_max(is_templates);
        if cursor.len() > max && self.cursors.len() < KEPT_MAX {
            self.cursors.push((label.to_owned(), cursor.len(), max));
        }
        self.look("the cursor", label, &cursor);
        let Request::Http(request) = request else {
            return;
        };
        for header in request.headers.iter().filter(|header| !header.sensitive) {
            let place = format!("header {} (not marked sensitive)", header.name);
            self.look(&place, label, &header.value);
            let decoded = decoded(&header.value);
            self.look(&place, label, &decoded);
        }
    }

    /// Looks for secrets in a text.
    pub(crate) fn look(&mut self, place: &str, label: &str, written: &str) {
        if self.secrets.iter().any(|secret| written.contains(secret)) {
            keep(&mut self.leaks, format!("{place} of {label}"));
        }
    }
}

fn keep(list: &mut Vec<String>, words: String) {
    if list.len() < KEPT_MAX && !list.contains(&words) {
        list.push(words);
    }
}

/// What is in base64 in a header's value: `Basic dXNlcjpwYXNzd29yZA==`.
fn decoded(value: &str) -> String {
    let words = value.split_whitespace();
    let decoded = words.filter_map(|word| data_encoding::BASE64.decode(word.as_bytes()).ok());
    decoded
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect()
}
