//! The rules of Create (Message resource, "Create a Message"; codes of the error dictionary).

use super::account::Account;
use super::address::{is_e164, is_sender, is_sid, is_web_address};
use super::refusal::Refusal;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashSet;
use url::Url;

/// Longest text, in characters.
const BODY_CHARS_MAX: usize = 1600;
/// Most media items.
const MEDIA_MAX: usize = 10;

/// Parameters that may come once.
const SINGLE: [&str; 24] = [
    "AddressRetention",
    "ApplicationSid",
    "Attempt",
    "Body",
    "ContentRetention",
    "ContentSid",
    "ContentVariables",
    "FallbackFrom",
    "ForceDelivery",
    "From",
    "MaxPrice",
    "MessagingServiceSid",
    "ProvideFeedback",
    "RiskCheck",
    "ScheduleType",
    "SendAsMms",
    "SendAt",
    "ShortenUrls",
    "SmartEncoded",
    "StatusCallback",
    "Tags",
    "To",
    "TrafficType",
    "ValidityPeriod",
];
/// Parameters that may repeat.
const REPEATED: [&str; 2] = ["MediaUrl", "PersistentAction"];

/// A message that Twilio would accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) to: String,
    pub(super) from: Option<String>,
    pub(super) messaging_service_sid: Option<String>,
    pub(super) body: String,
    pub(super) media: Vec<String>,
    pub(super) content_sid: Option<String>,
    pub(super) content_variables: Option<String>,
    pub(super) status_callback: Option<String>,
    pub(super) scheduled: bool,
}

/// Checks the parameters in the order in which Twilio reports their errors.
pub(super) fn draft(params: &[(String, String)], account: &Account) -> Result<Draft, Refusal> {
    let to = recipient(params)?;
    let (from, messaging_service_sid) = sender(params, account, to)?;
    let scheduled = schedule(params, messaging_service_sid.is_some())?;
    let draft = Draft {
        to: to.to_owned(),
        from,
        messaging_service_sid,
        body: value(params, "Body").unwrap_or_default().to_owned(),
        media: media(params)?,
        content_sid: template(params, account)?,
        content_variables: value(params, "ContentVariables").map(str::to_owned),
        status_callback: status_callback(params)?,
        scheduled,
    };
    if draft.body.is_empty() && draft.media.is_empty() && draft.content_sid.is_none() {
        let words = "A text message body or media urls must be specified.";
        return Err(Refusal::bad(21619, words));
    }
    if draft.body.chars().count() > BODY_CHARS_MAX {
        let words = "The concatenated message body exceeds the 1600 character limit";
        return Err(Refusal::bad(21617, words));
    }
    if !to.starts_with("whatsapp:") && account.opted_out.contains(to) {
        return Err(Refusal::bad(
            21610,
            "Attempt to send to unsubscribed recipient",
        ));
    }
    Ok(draft)
}

/// What Twilio would let pass and a careful caller would not send.
pub(super) fn findings(params: &[(String, String)]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut seen = HashSet::new();
    for (name, value) in params {
        if REPEATED.contains(&name.as_str()) {
            continue;
        }
        if !SINGLE.contains(&name.as_str()) {
            findings.push(format!("unknown parameter `{name}` is ignored"));
        } else if !seen.insert(name) {
            findings.push(format!("`{name}` comes more than once"));
        } else if value.is_empty() {
            findings.push(format!("`{name}` is empty"));
        }
    }
    if value(params, "SendAt").is_some() && value(params, "ScheduleType").is_none() {
        findings.push("`SendAt` without `ScheduleType` is ignored".to_owned());
    }
    let period = value(params, "ValidityPeriod");
    if period.is_some_and(|text| !matches!(text.parse::<u32>(), Ok(1..=36_000))) {
        findings.push("`ValidityPeriod` is not 1 to 36000".to_owned());
    }
    findings
}

/// The first value of a parameter; an empty one counts as missing.
fn value<'a>(params: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = params.iter().find(|(key, _)| key == name);
    found
        .map(|(_, value)| value.as_str())
        .filter(|value| !value.is_empty())
}

fn recipient(params: &[(String, String)]) -> Result<&str, Refusal> {
    let Some(to) = value(params, "To") else {
        return Err(Refusal::bad(21604, "A 'To' phone number is required."));
    };
    if is_e164(to.strip_prefix("whatsapp:").unwrap_or(to)) {
        Ok(to)
    } else {
        let words = format!("Invalid 'To' Phone Number: {to}");
        Err(Refusal::bad(21211, words))
    }
}

/// The number and the Messaging Service, at least one of them.
fn sender(
    params: &[(String, String)],
    account: &Account,
    to: &str,
) -> Result<(Option<String>, Option<String>), Refusal> {
    let service = value(params, "MessagingServiceSid");
    if service.is_some_and(|sid| sid != account.messaging_service_sid) {
        let words = "The Messaging Service Sid is invalid.";
        return Err(Refusal::bad(21705, words));
    }
    let Some(from) = value(params, "From") else {
        return match service {
            Some(sid) => Ok((None, Some(sid.to_owned()))),
            None => Err(Refusal::bad(21603, "A 'From' phone number is required.")),
        };
    };
    if !is_sender(from) {
        let words = format!("Invalid 'From' Phone Number: {from}");
        return Err(Refusal::bad(21212, words));
    }
    let whatsapp = from.starts_with("whatsapp:");
    if !account.owns(from) && whatsapp {
        let words = "Twilio could not find a Channel with the specified From address";
        return Err(Refusal::bad(63007, words));
    }
    if !account.owns(from) {
        let words = format!(
            "The 'From' phone number {from} is not a valid, message-capable Twilio phone number for \
             this destination or account"
        );
        return Err(Refusal::bad(21606, words));
    }
    if whatsapp != to.starts_with("whatsapp:") {
        let words = "Invalid From and To pair. From and To should be of the same channel";
        return Err(Refusal::bad(21910, words));
    }
    if from == to {
        let words = format!("'To' and 'From' number cannot be the same: {to}");
        return Err(Refusal::bad(21266, words));
    }
    Ok((Some(from.to_owned()), service.map(str::to_owned)))
}

fn media(params: &[(String, String)]) -> Result<Vec<String>, Refusal> {
    let named = params.iter().filter(|(name, _)| name == "MediaUrl");
    let urls: Vec<String> = named.map(|(_, url)| url.clone()).collect();
    if urls.len() > MEDIA_MAX {
        let words = "The number of media files exceeds the limit of 10";
        return Err(Refusal::bad(21623, words));
    }
    match urls.iter().find(|url| !is_web_address(url)) {
        Some(url) => Err(Refusal::bad(21620, format!("Invalid media URL(s): {url}"))),
        None => Ok(urls),
    }
}

/// `ContentSid`, with its variables checked.
fn template(params: &[(String, String)], account: &Account) -> Result<Option<String>, Refusal> {
    let sid = value(params, "ContentSid");
    if let Some(variables) = value(params, "ContentVariables") {
        if sid.is_none() {
            let words = "ContentSid is required with ContentVariables";
            return Err(Refusal::bad(21654, words));
        }
        let parsed = serde_json::from_str::<serde_json::Value>(variables);
        let is_right = |value: &serde_json::Value| {
            let values = value.as_object();
            values.is_some_and(|values| values.values().all(serde_json::Value::is_string))
        };
        if !parsed.is_ok_and(|value| is_right(&value)) {
            let words = "The ContentVariables parameter is invalid";
            return Err(Refusal::bad(21656, words));
        }
    }
    match sid {
        Some(sid) if !is_sid(sid, "HX") || !account.may_have(sid) => {
            Err(Refusal::bad(21655, "The ContentSid is invalid"))
        }
        _ => Ok(sid.map(str::to_owned)),
    }
}

/// A callback's host must be a host name or address without underscore.
fn status_callback(params: &[(String, String)]) -> Result<Option<String>, Refusal> {
    let Some(text) = value(params, "StatusCallback") else {
        return Ok(None);
    };
    let host = Url::parse(text).ok().filter(|_| is_web_address(text));
    let host = host.and_then(|url| url.host_str().map(str::to_owned));
    match host {
        Some(host) if !host.contains('_') => Ok(Some(text.to_owned())),
        _ => {
            let words = format!("The 'StatusCallback' URL {text} is not a valid URL.");
            Err(Refusal::bad(21609, words))
        }
    }
}

/// Whether the message waits for `SendAt`.
fn schedule(params: &[(String, String)], service: bool) -> Result<bool, Refusal> {
    let Some(kind) = value(params, "ScheduleType") else {
        return Ok(false);
    };
    if kind != "fixed" {
        let words = "The ScheduleType value provided is not supported for this channel";
        return Err(Refusal::bad(35126, words));
    }
    let Some(at) = value(params, "SendAt") else {
        return Err(Refusal::bad(35111, "SendAt timestamp is missing"));
    };
    if !service {
        let words = "MessagingServiceSid is required to schedule a message";
        return Err(Refusal::bad(35118, words));
    }
    let wait = at
        .parse::<Timestamp>()
        .map(|time| time.duration_since(Timestamp::now()));
    let least = SignedDuration::from_mins(5);
    let most = SignedDuration::from_hours(35 * 24);
    match wait {
        Ok(wait) if wait > least && wait <= most => Ok(true),
        _ => {
            let words = "Scheduling does not support this timestamp";
            Err(Refusal::bad(35115, words))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::content::ContentTemplate;
    use super::*;

    const TO: (&str, &str) = ("To", "+15005550101");
    const FROM: (&str, &str) = ("From", "+15550100");
    const BODY: (&str, &str) = ("Body", "Hi");

    fn check(account: &Account, params: &[(&str, &str)]) -> Result<Draft, u32> {
        let params: Vec<(String, String)> = params
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        draft(&params, account).map_err(|refusal| refusal.code)
    }

    #[test]
    fn each_rule_has_its_code() {
        let account = Account::new();
        let long = "a".repeat(1601);
        let table: &[(&[(&str, &str)], u32)] = &[
            (&[FROM, BODY], 21604),
            (&[("To", ""), FROM, BODY], 21604),
            (&[("To", "5005550101"), FROM, BODY], 21211),
            (&[("To", "+0500555010"), FROM, BODY], 21211),
            (&[("To", "whatsapp:x"), FROM, BODY], 21211),
            (&[TO, BODY], 21603),
            (&[TO, ("From", "+1 555"), BODY], 21212),
            (&[TO, ("From", "+15559999"), BODY], 21606),
            (&[TO, ("From", "whatsapp:+15559999"), BODY], 63007),
            (&[TO, ("From", "whatsapp:+15550100"), BODY], 21910),
            (&[("To", "+15550100"), FROM, BODY], 21266),
            (&[TO, ("MessagingServiceSid", "MG0"), BODY], 21705),
            (&[TO, FROM], 21619),
            (&[TO, FROM, ("Body", "")], 21619),
            (&[TO, FROM, ("Body", &long)], 21617),
            (&[TO, FROM, ("MediaUrl", "ftp://x/y")], 21620),
            (&[TO, FROM, BODY, ("ContentSid", "HX12")], 21655),
            (&[TO, FROM, BODY, ("ContentVariables", "{}")], 21654),
            (&[TO, FROM, BODY, ("StatusCallback", "/in")], 21609),
            (&[TO, FROM, BODY, ("StatusCallback", "ftp://a/b")], 21609),
            (
                &[TO, FROM, BODY, ("StatusCallback", "https://a_b.org/")],
                21609,
            ),
            (&[TO, FROM, BODY, ("ScheduleType", "soon")], 35126),
            (&[TO, FROM, BODY, ("ScheduleType", "fixed")], 35111),
        ];
        for (params, code) in table {
            assert_eq!(check(&account, params), Err(*code), "{params:?}");
        }
        let many: Vec<(&str, &str)> = [TO, FROM]
            .into_iter()
            .chain([("MediaUrl", "https://x/y"); 11])
            .collect();
        assert_eq!(check(&account, &many), Err(21623));
    }

    #[test]
    fn an_underscore_in_the_path_of_a_callback_is_fine() {
        let callback = ("StatusCallback", "http://127.0.0.1:8080/in/a_b?m=1");
        let draft = check(&Account::new(), &[TO, FROM, BODY, callback]).unwrap();
        assert_eq!(draft.status_callback.as_deref(), Some(callback.1));
    }

    #[test]
    fn a_text_of_1600_characters_passes_whatever_its_bytes() {
        let body = "😀".repeat(1600);
        assert!(check(&Account::new(), &[TO, FROM, ("Body", &body)]).is_ok());
    }

    #[test]
    fn templates_need_no_text() {
        let sid = format!("HX{}", "0".repeat(32));
        let params = [TO, FROM, ("ContentSid", sid.as_str())];
        assert!(check(&Account::new(), &params).is_ok());
        let broken = [params.as_slice(), &[("ContentVariables", "[1]")]].concat();
        assert_eq!(check(&Account::new(), &broken), Err(21656));
    }

    #[test]
    fn a_template_must_be_the_accounts_where_it_has_some() {
        let mut account = Account::new();
        let template = ContentTemplate::approved("order", "Hi");
        let sid = template.sid.clone();
        account.templates.push(template);
        assert!(check(&account, &[TO, FROM, ("ContentSid", &sid)]).is_ok());
        let other = format!("HX{}", "0".repeat(32));
        assert_eq!(
            check(&account, &[TO, FROM, ("ContentSid", &other)]),
            Err(21655)
        );
        let numbers = ("ContentVariables", r#"{"1":7}"#);
        assert_eq!(
            check(&account, &[TO, FROM, ("ContentSid", &sid), numbers]),
            Err(21656)
        );
    }

    #[test]
    fn schedules_need_a_service_and_a_time_in_range() {
        let account = Account::new();
        let service = (
            "MessagingServiceSid",
            account.messaging_service_sid.as_str(),
        );
        let kind = ("ScheduleType", "fixed");
        let at = |minutes| (Timestamp::now() + SignedDuration::from_mins(minutes)).to_string();
        let (soon, good) = (at(1), at(60));
        let good = ("SendAt", good.as_str());
        let draft = check(&account, &[TO, service, BODY, kind, good]).unwrap();
        assert!(draft.scheduled);
        assert_eq!(check(&account, &[TO, FROM, BODY, kind, good]), Err(35118));
        let soon = ("SendAt", soon.as_str());
        assert_eq!(
            check(&account, &[TO, service, BODY, kind, soon]),
            Err(35115)
        );
    }

    #[test]
    fn a_recipient_who_opted_out_is_refused() {
        let mut account = Account::new();
        account.opted_out.insert(TO.1.to_owned());
        assert_eq!(check(&account, &[TO, FROM, BODY]), Err(21610));
    }

    #[test]
    fn findings_name_what_is_ignored() {
        let params = [
            ("Bdoy", "Hi"),
            ("To", "+1"),
            ("To", "+2"),
            ("MediaUrl", "a"),
            ("MediaUrl", "b"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let findings = findings(&params);
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings[0].contains("`Bdoy`") && findings[1].contains("`To`"));
    }
}
