//! The JSON of Twilio's resources.

use super::account::Account;
use super::ledger::{Direction, LedgerMessage, StatusWord};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

/// The Message resource.
pub(super) fn message(message: &LedgerMessage, account_sid: &str) -> Value {
    let uri = format!(
        "/2010-04-01/Accounts/{account_sid}/Messages/{}",
        message.sid
    );
    let undecided = matches!(message.status, StatusWord::Accepted | StatusWord::Scheduled);
    let from = (!undecided).then_some(&message.from);
    let segments = if undecided { 0 } else { message.segments() };
    json!({
        "sid": message.sid,
        "account_sid": account_sid,
        "messaging_service_sid": message.messaging_service_sid,
        "from": from,
        "to": message.to,
        "body": message.body,
        "status": message.status.as_str(),
        "direction": match message.direction {
            Direction::Inbound => "inbound",
            Direction::OutboundApi => "outbound-api",
        },
        "num_segments": segments.to_string(),
        "num_media": message.media.len().to_string(),
        "price": null,
        "price_unit": "USD",
        "error_code": message.error_code,
        "error_message": null,
        "date_created": date(message.created_at),
        "date_updated": date(message.updated_at),
        "date_sent": message.sent_at.map(date),
        "api_version": "2010-04-01",
        "uri": format!("{uri}.json"),
        "subresource_uris": {
            "media": format!("{uri}/Media.json"),
            "feedback": format!("{uri}/Feedback.json"),
        },
    })
}

/// The Account resource. Holds the auth token, as the real one does.
pub(super) fn account(account: &Account) -> Value {
    let uri = format!("/2010-04-01/Accounts/{}", account.sid);
    json!({
        "sid": account.sid,
        "friendly_name": "Simulated account",
        "status": account.status.as_str(),
        "type": "Full",
        "auth_token": account.auth_token,
        "owner_account_sid": account.sid,
        "date_created": date(account.created_at),
        "date_updated": date(account.created_at),
        "uri": format!("{uri}.json"),
        "subresource_uris": {
            "messages": format!("{uri}/Messages.json"),
            "balance": format!("{uri}/Balance.json"),
        },
    })
}

/// The Balance resource.
pub(super) fn balance(account: &Account) -> Value {
    json!({"account_sid": account.sid, "balance": "42.05", "currency": "USD"})
}

/// RFC 2822 in GMT, whole seconds.
fn date(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC)
        .strftime("%a, %d %b %Y %H:%M:%S +0000")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_rfc_2822_in_gmt() {
        let time: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        assert_eq!(date(time), "Thu, 01 Jan 2026 12:00:00 +0000");
    }
}
