//! The message list: filters and paging (Message resource, "Retrieve a list of Messages").
//!
//! A message that has not gone to the carrier yet is filtered by its creation time, since it has no
//! date of sending; the documentation leaves this case open.

use super::account::Account;
use super::ledger::LedgerMessage;
use super::refusal::Refusal;
use super::resource;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

/// Page sizes: the default and the largest.
const PAGE_SIZE: usize = 50;
const PAGE_SIZE_MAX: usize = 1000;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    to: Option<String>,
    from: Option<String>,
    earliest: Option<Timestamp>,
    /// Inclusive.
    latest: Option<Timestamp>,
    page_size: usize,
    page: u32,
    /// The id of the last message of the page before.
    after: Option<String>,
    /// The filters as they came, to repeat in the next page's address.
    filters: Vec<(String, String)>,
}

/// Parameters of the list.
const KNOWN: [&str; 8] = [
    "To",
    "From",
    "DateSent",
    "DateSent<",
    "DateSent>",
    "PageSize",
    "Page",
    "PageToken",
];

/// Parameters that the API would ignore without a word.
pub(super) fn findings(params: &[(String, String)]) -> Vec<String> {
    params
        .iter()
        .filter(|(name, _)| !KNOWN.contains(&name.as_str()))
        .map(|(name, _)| format!("unknown parameter `{name}` is ignored"))
        .collect()
}

/// Reads the query.
pub(super) fn query(params: &[(String, String)]) -> Result<Query, Refusal> {
    let mut query = Query {
        to: None,
        from: None,
        earliest: None,
        latest: None,
        page_size: PAGE_SIZE,
        page: 0,
        after: None,
        filters: Vec::new(),
    };
    for (name, value) in params {
        let invalid = || Refusal::bad(20001, format!("Parameter '{name}' is not valid"));
        match name.as_str() {
            "To" => query.to = Some(value.clone()),
            "From" => query.from = Some(value.clone()),
            "DateSent" => {
                let day: Date = value.parse().map_err(|_| invalid())?;
                let start = midnight(day).ok_or_else(invalid)?;
                let next = day.checked_add(1.day()).ok().and_then(midnight);
                query.earliest = Some(start);
                query.latest = next.map(|next| next - 1.nanosecond());
            }
            "DateSent<" => query.latest = Some(time(value).ok_or_else(invalid)?),
            "DateSent>" => query.earliest = Some(time(value).ok_or_else(invalid)?),
            "PageSize" => {
                let size: usize = value.parse().map_err(|_| invalid())?;
                query.page_size = size.clamp(1, PAGE_SIZE_MAX);
            }
            "Page" => query.page = value.parse().map_err(|_| invalid())?,
            "PageToken" => {
                let sid = value.strip_prefix("PA").ok_or_else(invalid)?;
                query.after = Some(sid.to_owned());
            }
            _ => {}
        }
        if !matches!(name.as_str(), "Page" | "PageToken" | "PageSize") {
            query.filters.push((name.clone(), value.clone()));
        }
    }
    Ok(query)
}

/// One page, newest first.
pub(super) fn page(query: &Query, account: &Account) -> Value {
    let all = account.ledger.all();
    let after = query
        .after
        .as_deref()
        .and_then(|sid| account.ledger.place(sid));
    let older = &all[..after.unwrap_or(all.len())];
    let mut matching = older.iter().rev().filter(|message| query.takes(message));
    let page: Vec<&LedgerMessage> = matching.by_ref().take(query.page_size).collect();
    let more = matching.next().is_some();
    let path = format!("/2010-04-01/Accounts/{}/Messages.json", account.sid);
    let next = page
        .last()
        .filter(|_| more)
        .map(|last| query.address(&path, query.page + 1, Some(&last.sid)));
    let start = query.page_size.saturating_mul(query.page as usize);
    let messages: Vec<Value> = page
        .iter()
        .map(|message| resource::message(message, &account.sid))
        .collect();
    json!({
        "first_page_uri": query.address(&path, 0, None),
        "next_page_uri": next,
        "previous_page_uri": null,
        "page": query.page,
        "page_size": query.page_size,
        "start": start,
        "end": start + messages.len().saturating_sub(1),
        "uri": query.address(&path, query.page, query.after.as_deref()),
        "messages": messages,
    })
}

impl Query {
    fn takes(&self, message: &LedgerMessage) -> bool {
        let sent = message.sent_at.unwrap_or(message.created_at);
        self.to.as_ref().is_none_or(|to| *to == message.to)
            && self.from.as_ref().is_none_or(|from| *from == message.from)
            && self.earliest.is_none_or(|earliest| sent >= earliest)
            && self.latest.is_none_or(|latest| sent <= latest)
    }

    fn address(&self, path: &str, page: u32, after: Option<&str>) -> String {
        let mut form = form_urlencoded::Serializer::for_suffix(format!("{path}?"), path.len() + 1);
        form.extend_pairs(&self.filters);
        form.append_pair("PageSize", &self.page_size.to_string());
        form.append_pair("Page", &page.to_string());
        if let Some(sid) = after {
            form.append_pair("PageToken", &format!("PA{sid}"));
        }
        form.finish()
    }
}

/// A date means its midnight in GMT; a time is taken as it is.
fn time(text: &str) -> Option<Timestamp> {
    match text.parse::<Date>() {
        Ok(day) if text.len() == "2026-01-01".len() => midnight(day),
        _ => text.parse().ok(),
    }
}

fn midnight(day: Date) -> Option<Timestamp> {
    let zoned = day.to_zoned(TimeZone::UTC).ok()?;
    Some(zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::super::inbound::InboundSms;
    use super::*;

    fn params(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn account() -> Account {
        let mut account = Account::new();
        for number in 0..5 {
            let from = if number % 2 == 0 {
                "+15005550101"
            } else {
                "+15005550102"
            };
            let mut sms = InboundSms::text(from, "+15550100", &number.to_string());
            sms.message_sid = format!("SM{number:032}");
            account.receive(&sms, Timestamp::now());
        }
        account
    }

    fn bodies(page: &Value) -> Vec<&str> {
        let messages = page["messages"].as_array().unwrap();
        messages
            .iter()
            .map(|m| m["body"].as_str().unwrap())
            .collect()
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_repetition() {
        let account = account();
        let mut seen = Vec::new();
        let mut next = params(&[("PageSize", "2")]);
        loop {
            let page = page(&query(&next).unwrap(), &account);
            seen.extend(bodies(&page).into_iter().map(str::to_owned));
            let Some(uri) = page["next_page_uri"].as_str() else {
                break;
            };
            let (_, text) = uri.split_once('?').unwrap();
            next = form_urlencoded::parse(text.as_bytes())
                .into_owned()
                .collect();
        }
        assert_eq!(seen, ["4", "3", "2", "1", "0"]);
    }

    #[test]
    fn filters_narrow_the_list() {
        let account = account();
        let now = Timestamp::now();
        let (past, future) = (now - 1.hour(), now + 1.hour());
        let today = now.to_zoned(TimeZone::UTC).date().to_string();
        for (list, expected) in [
            (params(&[("From", "+15005550102")]), 2),
            (params(&[("To", "+15550101")]), 0),
            (params(&[("DateSent>", &past.to_string())]), 5),
            (params(&[("DateSent>", &future.to_string())]), 0),
            (params(&[("DateSent<", &past.to_string())]), 0),
            (params(&[("DateSent", &today)]), 5),
            (params(&[("DateSent", "2020-01-01")]), 0),
            (params(&[("DateSent>", "2020-01-01")]), 5),
        ] {
            let page = page(&query(&list).unwrap(), &account);
            assert_eq!(bodies(&page).len(), expected, "{list:?}");
        }
        assert_eq!(
            query(&params(&[("DateSent>", "soon")])).unwrap_err().code,
            20001
        );
        assert_eq!(findings(&params(&[("DateSent>=", "2020-01-01")])).len(), 1);
    }
}
