//! What goes out, whoever carries it: recipient, subject, texts, headers, files.
//!
//! A file of the daemon is attached. What has only a public address becomes a link at the end of the text: the
//! gateway does not fetch what others host in order to send it on.

use trunkline_plugin_api::{AdapterError, ErrorClass, Media, OutboundMessage};

use crate::{
    address::{is_address, is_message_id, message_id_of, reference},
    automatic::OWN_HEADER,
    config::Settings,
    errors,
};

/// Message ids in `References`: the first and the last ones.
const REFERENCES_MAX: usize = 20;
/// Characters of one header's value (SES API v2 reference, MessageHeader).
const HEADER_CHARS_MAX: usize = 870;

/// A message, ready for any carrier.
pub(crate) struct Outgoing<'a> {
    /// The recipient's address.
    pub(crate) to: &'a str,
    /// One line.
    pub(crate) subject: String,
    pub(crate) text: Option<String>,
    pub(crate) html: Option<String>,
    /// Without brackets; what this answers comes last.
    pub(crate) references: Vec<String>,
    pub(crate) in_reply_to: Option<String>,
    /// Further headers, names and values in ASCII.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// Attachments that the daemon streams.
    pub(crate) files: Vec<&'a Media>,
    /// Our id, and the part's number.
    pub(crate) reference: String,
}

impl<'a> Outgoing<'a> {
    /// Plans a message, or says why it can't go out.
    pub(crate) fn plan(
        settings: &Settings,
        message: &'a OutboundMessage,
    ) -> Result<Self, AdapterError> {
        let to = message.to.identifier.as_str();
        if !is_address(to) || !to.is_ascii() {
            return Err(AdapterError::new(
                ErrorClass::Recipient,
                "invalid_recipient",
                "the recipient is not an e-mail address in ASCII",
            ));
        }
        check(message)?;
        let content = &message.content;
        let (files, links): (Vec<_>, Vec<_>) = content
            .media
            .iter()
            .partition(|media| media.source.sha256.is_some());
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (mut text, mut html) = (filled(&content.text), filled(&content.html));
        for link in links {
            let url = link.source.url.as_deref().filter(|url| is_link(url));
            let url = url.ok_or_else(|| {
                errors::content(
                    "no_attachment",
                    "an attachment has neither a file nor an http(s) address",
                )
            })?;
            if let Some(html) = &mut html {
                let shown = escaped(link.name.as_deref().unwrap_or(url));
                let link = format!("<p><a href=\"{}\">{shown}</a></p>", escaped(url));
                *html += &link;
            }
            if text.is_some() || html.is_none() {
                let text = text.get_or_insert_default();
                let name = link
                    .name
                    .as_deref()
                    .map(|name| format!("{}: ", one_line(name)));
                let gap = if text.is_empty() { "" } else { "\n\n" };
                *text += &[gap, &name.unwrap_or_default(), url].concat();
            }
        }
        if text.is_none() && html.is_none() && files.is_empty() {
            return Err(errors::content(
                "empty",
                "the message has neither text nor attachment",
            ));
        }
        let in_reply_to = message.reply_to.as_deref().map(message_id_of);
        let in_reply_to = in_reply_to.filter(|id| is_message_id(id) && !id.starts_with("sha256:"));
        let reference = reference(message);
        Ok(Self {
            to,
            subject: subject(settings, message),
            text,
            html,
            references: references(message, in_reply_to),
            in_reply_to: in_reply_to.map(str::to_owned),
            headers: headers(settings, message, &reference),
            files,
            reference,
        })
    }

    /// All headers beside addresses and subject, for carriers that make the mail themselves.
    pub(crate) fn all_headers(&self) -> Vec<(&'static str, String)> {
        let mut all = Vec::new();
        all.extend(
            self.in_reply_to
                .iter()
                .map(|id| ("In-Reply-To", format!("<{id}>"))),
        );
        if !self.references.is_empty() {
            let ids: Vec<_> = self.references.iter().map(|id| format!("<{id}>")).collect();
            all.push(("References", ids.join(" ")));
        }
        all.extend(self.headers.iter().cloned());
        all
    }
}

/// What no mail can carry.
fn check(message: &OutboundMessage) -> Result<(), AdapterError> {
    let content = &message.content;
    let unsupported = [
        (content.template.is_some(), "templates"),
        (content.location.is_some(), "places"),
        (content.interactive.is_some(), "buttons and lists"),
        (!content.contacts.is_empty(), "contact cards"),
        (content.reaction.is_some(), "reactions"),
    ];
    match unsupported.into_iter().find(|(is_there, _)| *is_there) {
        Some((_, what)) => Err(errors::content(
            "unsupported_content",
            format!("e-mail has no {what}"),
        )),
        None => Ok(()),
    }
}

/// The message's own subject; else that of the conversation where the caller gives it in the metadata, else the
/// channel's.
fn subject(settings: &Settings, message: &OutboundMessage) -> String {
    let own = message.content.subject.as_deref().map(one_line);
    if let Some(own) = own.filter(|own| !own.is_empty()) {
        return own;
    }
    let known = message
        .metadata
        .get("subject")
        .and_then(|value| value.as_str());
    let subject = one_line(known.unwrap_or(&settings.subject));
    let has_re = subject
        .get(..3)
        .is_some_and(|start| start.eq_ignore_ascii_case("re:"));
    if message.reply_to.is_some() && !has_re {
        return format!("Re: {subject}");
    }
    subject
}

/// The conversation's ids that the caller gives, and behind them the one that is answered.
fn references(message: &OutboundMessage, parent: Option<&str>) -> Vec<String> {
    let given = message.metadata.get("references");
    let listed = given
        .and_then(|value| value.as_array())
        .into_iter()
        .flatten();
    let listed = listed.filter_map(|value| value.as_str());
    let written = given.and_then(|value| value.as_str()).unwrap_or_default();
    let mut ids: Vec<String> = Vec::new();
    let all = listed
        .chain(written.split_whitespace())
        .map(|id| id.trim_matches(['<', '>']));
    for id in all.chain(parent) {
        if is_message_id(id) {
            ids.retain(|known| known != id);
            ids.push(id.to_owned());
        }
    }
    let len = |ids: &[String]| ids.iter().map(|id| id.len() + 3).sum::<usize>();
    while ids.len() > 2 && (ids.len() > REFERENCES_MAX || len(&ids) > HEADER_CHARS_MAX) {
        ids.remove(1);
    }
    ids
}

fn headers(
    settings: &Settings,
    message: &OutboundMessage,
    reference: &str,
) -> Vec<(&'static str, String)> {
    let mut headers = vec![(OWN_HEADER, reference.to_owned())];
    if message.metadata.get("auto_reply") == Some(&true.into()) {
        headers.push(("Auto-Submitted", "auto-replied".into()));
        headers.push(("X-Auto-Response-Suppress", "All".into()));
    }
    // What answers a person is no mailing.
    if let Some(way) = settings
        .unsubscribe
        .as_deref()
        .filter(|_| message.reply_to.is_none())
    {
        headers.push(("List-Unsubscribe", format!("<{way}>")));
        if way.starts_with("https://") {
            headers.push(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".into()));
        }
    }
    headers
}

/// Text that can stand in a header: no line ends, no other control characters.
pub(crate) fn one_line(text: &str) -> String {
    let spaced = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    spaced
        .take(HEADER_CHARS_MAX)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// A file's name as it can stand in a header.
pub(crate) fn file_name(media: &Media) -> String {
    let name = media.name.as_deref().map(one_line).unwrap_or_default();
    let name: String = name
        .chars()
        .filter(|c| !"\"\\/<>".contains(*c))
        .take(200)
        .collect();
    if name.is_empty() {
        "attachment".into()
    } else {
        name
    }
}

/// A file's type as it can stand in a header.
pub(crate) fn content_type(media: &Media) -> &str {
    let plain = |text: &str| {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-+._".contains(&byte);
        !text.is_empty() && text.len() <= 100 && text.bytes().all(fine)
    };
    let given = media.content_type.as_deref().unwrap_or_default();
    match given.split_once('/') {
        Some((main, sub)) if plain(main) && plain(sub) && main != "multipart" => given,
        _ => "application/octet-stream",
    }
}

fn is_link(url: &str) -> bool {
    let http = ["http://", "https://"]
        .iter()
        .any(|scheme| url.starts_with(scheme));
    http && !url.contains(|c: char| c.is_whitespace() || c.is_control())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
