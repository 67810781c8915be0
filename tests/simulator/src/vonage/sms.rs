//! The rules of `POST /sms/json` (Vonage's SMS API reference and its page on SMS errors).

use super::account::{Account, VonageMessage, is_number, random_hex};
use crate::behaviour::Fault;
use crate::reply::Reply;
use crate::twilio::segments::segments;
use serde_json::{Value, json};

/// Parameters that a call may have.
const KNOWN: [&str; 13] = [
    "from",
    "to",
    "text",
    "type",
    "ttl",
    "status-report-req",
    "callback",
    "client-ref",
    "message-class",
    "account-ref",
    "entity-id",
    "content-id",
    "trusted-number",
];

/// A refusal: the status of the API and its words.
pub(super) type Refusal = (u32, String);

fn get<'a>(params: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = params.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}

/// Checks everything that makes Vonage refuse a message, and gives what it would take.
pub(super) fn draft(
    account: &Account,
    params: &[(String, String)],
) -> Result<VonageMessage, Refusal> {
    let need = |name: &str| {
        get(params, name)
            .filter(|value| !value.is_empty())
            .ok_or((2, format!("Missing {name}")))
    };
    let (from, to) = (need("from")?, need("to")?);
    let (text, kind) = (need("text")?, get(params, "type").unwrap_or("text"));
    if !is_number(to) {
        return Err((3, "Invalid value for param: to".into()));
    }
    if !matches!(kind, "text" | "unicode") {
        return Err((3, "Invalid value for param: type".into()));
    }
    if !account.may_send_as(from) {
        return Err((15, "Illegal Sender Address - rejected".into()));
    }
    if text.chars().count() > 3_200 {
        return Err((12, "Message Too Long".into()));
    }
    let callback = get(params, "callback");
    let is_web = |url: &str| url.starts_with("http://") || url.starts_with("https://");
    if callback.is_some_and(|url| url.chars().count() > 100 || !is_web(url)) {
        return Err((23, "Invalid callback URL".into()));
    }
    let client_ref = get(params, "client-ref");
    if client_ref.is_some_and(|text| text.chars().count() > 100) {
        return Err((3, "Invalid value for param: client-ref".into()));
    }
    Ok(VonageMessage {
        ids: (0..segments(text)).map(|_| part_id()).collect(),
        channel: None,
        kind: kind.to_owned(),
        to: to.to_owned(),
        from: from.to_owned(),
        text: text.to_owned(),
        media: Vec::new(),
        client_ref: client_ref.map(str::to_owned),
        callback: callback.map(str::to_owned),
    })
}

/// What a careful reader of Vonage's pages would not have sent, refused or not.
pub(super) fn findings(params: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (index, (name, _)) in params.iter().enumerate() {
        if matches!(name.as_str(), "api_key" | "api_secret") {
            found.push(format!("{name} beside an Authorization header"));
        } else if !KNOWN.contains(&name.as_str()) {
            found.push(format!("unknown parameter {name}"));
        }
        if params[..index].iter().any(|(before, _)| before == name) {
            found.push(format!("{name} comes twice"));
        }
    }
    // Of the GSM alphabet 80 fit into one segment even where each takes two places; of others 70.
    let text = get(params, "text").unwrap_or_default();
    let fits_gsm = text
        .chars()
        .all(|character| segments(&character.to_string().repeat(80)) == 1);
    match get(params, "type") {
        Some("unicode") if fits_gsm => found.push("GSM text sent as unicode costs more".into()),
        Some("unicode") => {}
        _ if !fits_gsm => found.push("text outside the GSM alphabet sent as plain text".into()),
        _ => {}
    }
    if get(params, "client-ref").is_some_and(|text| text.len() > 40) {
        found.push("client-ref is longer than 40 characters".into());
    }
    if get(params, "callback").is_some_and(|url| url.contains(['?', '#'])) {
        found.push("whether the callback's query is signed is not documented".into());
    }
    let asked = get(params, "status-report-req");
    if asked.is_some_and(|value| !matches!(value, "1" | "true")) {
        found.push("status-report-req is neither 1 nor true".into());
    }
    found
}

/// 16 digits, as Vonage writes them.
fn part_id() -> String {
    format!("0C{}", &random_hex().to_uppercase()[..14])
}

/// The answer for an accepted message; its last part refused where `refused` has a status.
pub(super) fn accepted(message: &VonageMessage, refused: Option<u32>) -> Reply {
    let last = message.ids.len() - 1;
    let parts = message.ids.iter().enumerate().map(|(index, id)| match refused {
        Some(status) if index == last => refusal_part(status, "refused"),
        _ => json!({
            "to": message.to, "message-id": id, "status": "0", "remaining-balance": "29.18000000",
            "message-price": "0.03330000", "network": "23410", "client-ref": message.client_ref,
        }),
    });
    let parts: Vec<Value> = parts.collect();
    let count = parts.len().to_string();
    Reply::json(200, &json!({"message-count": count, "messages": parts}))
}

fn refusal_part(status: u32, words: &str) -> Value {
    json!({"status": status.to_string(), "error-text": words})
}

/// A refusal, which is a 200 too.
pub(super) fn refused((status, words): &Refusal) -> Reply {
    let parts = [refusal_part(*status, words)];
    Reply::json(200, &json!({"message-count": "1", "messages": parts}))
}

/// A fault in the API's words.
pub(super) fn fault(fault: Fault) -> Reply {
    match fault.code {
        Some(code) if fault.status == 200 => refused(&(code, fault.message)),
        Some(code) => Reply::json(
            fault.status,
            &json!({"title": code.to_string(), "detail": fault.message}),
        ),
        None => Reply::text(fault.status, fault.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(changes: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut params = vec![
            ("from", "15550100"),
            ("to", "447700900001"),
            ("text", "Hi"),
            ("type", "text"),
            ("callback", "https://hooks.example.org/1"),
        ];
        for (name, value) in changes {
            params.retain(|(known, _)| known != name);
            params.push((name, value));
        }
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        params.into_iter().map(own).collect()
    }

    #[test]
    fn wrong_messages_are_refused_with_their_status() {
        let account = Account::new();
        let long_url = format!("https://{}.example.org", "x".repeat(100));
        let long_text = "x".repeat(3_201);
        let rows = [
            (("text", ""), 2),
            (("to", ""), 2),
            (("to", "+447700900001"), 3),
            (("type", "voice"), 3),
            (("from", "4912345678"), 15),
            (("from", "a name that is long"), 15),
            (("text", &long_text), 12),
            (("callback", &long_url), 23),
            (("callback", "hooks.example.org"), 23),
        ];
        for (change, status) in rows {
            let refused = draft(&account, &params(&[change])).map_err(|refusal| refusal.0);
            assert_eq!(refused, Err(status), "{change:?}");
        }
        let taken = draft(&account, &params(&[("from", "Acme")]));
        assert_eq!(taken.map(|message| message.ids.len()), Ok(1));
    }

    #[test]
    fn careless_messages_are_found() {
        let rows = [
            (("text", "it’s"), "outside the GSM alphabet"),
            (("type", "unicode"), "costs more"),
            (("api_secret", "1"), "beside an Authorization"),
            (
                ("callback", "https://hooks.example.org/1?a=b"),
                "callback's query",
            ),
            (("status-report-req", "yes"), "neither 1 nor true"),
            (("colour", "red"), "unknown parameter"),
        ];
        for (change, words) in rows {
            let found = findings(&params(&[change]));
            assert!(
                found.len() == 1 && found[0].contains(words),
                "{change:?}: {found:?}"
            );
        }
        assert_eq!(
            findings(&params(&[("text", "50% £€ {now}")])),
            Vec::<String>::new()
        );
    }
}
