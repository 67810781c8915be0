//! `trunkline send`: hands a message to the outbox, or shows how it would go.

use std::{io::Read, path::Path};

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::{
    admin::{Admin, Query, id},
    failure::Failure,
    media, output, preview,
};
use crate::model::MediaHash;

/// Longest text read from standard input, in bytes.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// The verb.
#[derive(Debug, Args)]
pub(super) struct Send {
    /// The channel it goes by.
    #[arg(value_parser = id)]
    channel: String,
    /// Number or address of the recipient.
    to: String,
    /// What it says; `-` reads it from standard input.
    #[arg(required_unless_present = "media")]
    text: Option<String>,
    /// Subject, for media that have one.
    #[arg(long)]
    subject: Option<String>,
    /// An attachment: a file, which is uploaded, the hash of one that was, or a public URL; may be
    /// repeated.
    #[arg(long, value_name = "FILE|URL")]
    media: Vec<String>,
    /// `bulk` goes after all replies.
    #[arg(long, value_enum)]
    priority: Option<Priority>,
    /// Not before this time (RFC 3339).
    #[arg(long = "send-at", value_name = "TIME")]
    at: Option<jiff::Timestamp>,
    /// Sending twice with the same key sends once.
    #[arg(long, value_name = "KEY", value_parser = key)]
    idempotency_key: Option<String>,
    /// The conversation it belongs to.
    #[arg(long, value_name = "ID")]
    thread: Option<String>,
    /// Sends nothing: shows encoding, segments and parts, or why it would be refused.
    #[arg(long)]
    dry_run: bool,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Priority {
    Reply,
    Bulk,
}

impl Send {
    /// Does it.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        let text = match self.text.as_deref() {
            Some("-") => Some(read(std::io::stdin().lock())?),
            text => text.map(str::to_owned),
        };
        let mut media = Vec::new();
        for named in &self.media {
            media.push(self.attachment(admin, named).await?);
        }
        let body = self.body(text, media);
        if self.dry_run {
            return preview::show(admin, &body, self.json).await;
        }
        let key = self.idempotency_key.as_deref();
        let headers: Vec<_> = key
            .map(|key| ("idempotency-key", key))
            .into_iter()
            .collect();
        let query = Query::default();
        let accepted = admin
            .call(&["messages"], &query, Some(&body), &headers)
            .await?;
        if self.json {
            return output::print_json(&accepted);
        }
        let word = |name: &str| output::clean(accepted[name].as_str().unwrap_or("?"));
        output::print(&format!("{} {}", word("status"), word("id")))
    }

    /// Uploads what is a file here, also for a dry run: unused files are removed after a while.
    async fn attachment(&self, admin: &Admin, named: &str) -> Result<Value, Failure> {
        if named.starts_with("http://") || named.starts_with("https://") {
            return Ok(json!({"url": named}));
        }
        if named.parse::<MediaHash>().is_ok() {
            return Ok(json!({"sha256": named}));
        }
        let whose = Some(("channel", self.channel.as_str()));
        let known = media::upload(admin, Path::new(named), None, None, whose).await?;
        Ok(json!({"sha256": known["sha256"]}))
    }

    fn body(&self, text: Option<String>, media: Vec<Value>) -> Value {
        let mut content = Map::new();
        content.extend(text.map(|text| ("text".into(), text.into())));
        content.extend(
            self.subject
                .clone()
                .map(|text| ("subject".into(), text.into())),
        );
        if !media.is_empty() {
            content.insert("media".into(), media.into());
        }
        let mut body = Map::new();
        body.insert("channel".into(), self.channel.clone().into());
        body.insert("to".into(), self.to.clone().into());
        body.insert("content".into(), content.into());
        body.extend(self.thread.clone().map(|id| ("thread".into(), id.into())));
        body.extend(
            self.priority
                .map(|lane| ("priority".into(), lane.as_str().into())),
        );
        body.extend(self.at.map(|at| ("send_at".into(), at.to_string().into())));
        body.into()
    }
}

impl Priority {
    fn as_str(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::Bulk => "bulk",
        }
    }
}

/// Reads the text; the line break that `echo` adds is not part of it.
fn read(input: impl Read) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    input.take(TEXT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > TEXT_BYTES_MAX {
        let words = format!("the text on standard input is longer than {TEXT_BYTES_MAX} bytes");
        return Err(Failure::said(words));
    }
    let text = String::from_utf8(bytes);
    let text = text.map_err(|_| Failure::said("the text on standard input is not UTF-8"))?;
    Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

/// Checks an idempotency key: it becomes a header.
fn key(text: &str) -> Result<String, String> {
    if text.is_empty() || !text.chars().all(|c| c.is_ascii_graphic()) {
        return Err("must be letters, digits and signs without spaces".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        send: Send,
    }

    fn body(arguments: &[&str]) -> Value {
        let line = Line::try_parse_from([&["send"], arguments].concat()).expect("arguments");
        let text = line.send.text.clone();
        let urls = line.send.media.iter().map(|url| json!({"url": url}));
        line.send.body(text, urls.collect())
    }

    #[test]
    fn only_what_was_given_is_asked_for() {
        let expected = json!({"channel": "sms", "to": "+15550100", "content": {"text": "Hi"}});
        assert_eq!(body(&["sms", "+15550100", "Hi"]), expected);
        let all = body(&[
            "mail",
            "a@b.c",
            "--media",
            "http://x/1",
            "--media",
            "http://x/2",
            "--subject",
            "S",
            "--priority",
            "bulk",
            "--send-at",
            "2026-03-01T10:00:00Z",
            "--thread",
            "t1",
        ]);
        let expected = json!({
            "channel": "mail", "to": "a@b.c",
            "content": {"subject": "S", "media": [{"url": "http://x/1"}, {"url": "http://x/2"}]},
            "thread": "t1", "priority": "bulk", "send_at": "2026-03-01T10:00:00Z",
        });
        assert_eq!(all, expected);
    }

    #[test]
    fn standard_input_loses_only_its_last_line_break() {
        assert_eq!(read(&b" a\nb\n\n"[..]).expect("text"), " a\nb\n");
        assert!(read(&b"\xff"[..]).is_err());
        assert!(read(std::io::repeat(b'x')).is_err());
    }
}
