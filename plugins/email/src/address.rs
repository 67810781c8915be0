//! Addresses and message ids: ours, and those of the people.

use mail_parser::MessageParser;
use trunkline_plugin_api::OutboundMessage;

/// Longest address that is taken (RFC 5321: 64 characters, `@`, 255 characters; in practice 254).
const ADDRESS_BYTES_MAX: usize = 254;

/// An address with the name that people see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mailbox {
    /// As configured or as it stands in the mail.
    pub(crate) address: String,
    /// Without quotes, encoded words decoded.
    pub(crate) name: Option<String>,
}

impl Mailbox {
    /// Reads `Support <support@example.com>` or a bare address; none where it is neither.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.contains(['\r', '\n']) {
            return None;
        }
        let header = format!("From: {text}\r\n\r\n");
        let mail = MessageParser::new()
            .with_address_headers()
            .parse_headers(header.as_bytes())?;
        let found = mail.from()?.first()?;
        let address = found.address()?.trim();
        let name = found.name().map(str::trim).filter(|name| !name.is_empty());
        is_address(address).then(|| Self {
            address: address.into(),
            name: name.map(String::from),
        })
    }

    /// The part behind the `@`.
    pub(crate) fn domain(&self) -> &str {
        domain(&self.address)
    }
}

/// The part behind the last `@`, empty where there is none.
pub(crate) fn domain(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}

/// True where text is one address that can stand in an envelope and a header without quoting.
pub(crate) fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>,;:\"()[]\\@".contains(c);
    text.len() <= ADDRESS_BYTES_MAX
        && !local.is_empty()
        && !domain.is_empty()
        && text.chars().filter(|c| *c == '@').count() == 1
        && text.chars().all(|c| c == '@' || plain(c))
}

/// An address in the form by which people are known: lower case. None where it is no address.
pub(crate) fn normal(text: &str) -> Option<String> {
    let text = text.trim().trim_matches(['<', '>']).trim();
    is_address(text).then(|| text.to_lowercase())
}

/// `support+tag@example.com` without its tag, and the tag.
pub(crate) fn split_tag(address: &str) -> (String, Option<&str>) {
    let Some((local, domain)) = address.rsplit_once('@') else {
        return (address.into(), None);
    };
    match local.split_once('+') {
        Some((base, tag)) if !base.is_empty() => (format!("{base}@{domain}"), Some(tag)),
        _ => (address.into(), None),
    }
}

/// How a message (or the part of one) is named in what we send: our id, with `.` and the part's number
/// where it was split.
pub(crate) fn reference(message: &OutboundMessage) -> String {
    match message.part {
        Some(part) => format!("{}.{}", message.id, part.index),
        None => message.id.clone(),
    }
}

/// True where text has the form of a [`reference`]: a UUID and perhaps the number of a part.
pub(crate) fn is_reference(text: &str) -> bool {
    let (id, part) = text
        .split_once('.')
        .map_or((text, None), |(id, part)| (id, Some(part)));
    let groups: Vec<&str> = id.split('-').collect();
    let lens: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    lens == [8, 4, 4, 4, 12]
        && groups
            .iter()
            .all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
        && part.is_none_or(|part| {
            (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
        })
}

/// The reference in a Message-ID of ours; none where another system made it.
pub(crate) fn reference_in<'i>(message_id: &'i str, own_domain: &str) -> Option<&'i str> {
    let (local, domain) = message_id.rsplit_once('@')?;
    (domain.eq_ignore_ascii_case(own_domain) && is_reference(local)).then_some(local)
}

/// The Message-ID in the id of a received message (which also names the recipient).
pub(crate) fn message_id_of(inbound_id: &str) -> &str {
    inbound_id.split(' ').next().unwrap_or(inbound_id)
}

/// True where text can stand between the angle brackets of a Message-ID.
pub(crate) fn is_message_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 900
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !text.contains(['<', '>'])
}
