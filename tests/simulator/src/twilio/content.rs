//! The Content API's list of templates with their approvals, and WhatsApp's rules about templates and
//! the customer service window (Content API, "Fetch Content and approval status"; errors 63016, 63028,
//! 63040, 63041).

use super::account::{Account, random_sid};
use super::create::Draft;
use super::refusal::Refusal;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Where the list is.
pub(super) const PATH: &str = "/v1/ContentAndApprovals";
/// Page sizes: the default and the largest.
const PAGE_SIZE: usize = 50;
const PAGE_SIZE_MAX: usize = 1000;
/// WhatsApp's customer service window.
const WINDOW: Duration = Duration::from_secs(24 * 3600);

/// A content template of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentTemplate {
    /// `HX` and 32 hexadecimal digits; random.
    pub sid: String,
    /// For people.
    pub friendly_name: String,
    /// Language tag.
    pub language: String,
    /// Its text with `{{...}}`.
    pub body: String,
    /// WhatsApp's approval: `approved`, `pending`, `rejected`, `paused`, `unsubmitted`, ...
    pub status: String,
    /// Why it was rejected.
    pub rejection_reason: String,
}

impl ContentTemplate {
    /// An approved template in English with a fresh id.
    pub fn approved(name: &str, body: &str) -> Self {
        Self {
            sid: random_sid("HX"),
            friendly_name: name.to_owned(),
            language: "en".to_owned(),
            body: body.to_owned(),
            status: "approved".to_owned(),
            rejection_reason: String::new(),
        }
    }

    /// The same with another state of approval.
    #[must_use]
    pub fn with_status(mut self, status: &str, reason: &str) -> Self {
        status.clone_into(&mut self.status);
        reason.clone_into(&mut self.rejection_reason);
        self
    }

    /// The same in another language.
    #[must_use]
    pub fn in_language(mut self, language: &str) -> Self {
        language.clone_into(&mut self.language);
        self
    }

    /// The names in its placeholders, each once.
    fn variables(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for behind in self.body.split("{{").skip(1) {
            let name = behind.split("}}").next().unwrap_or_default().trim();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn resource(&self, account_sid: &str, base: &str) -> Value {
        let samples: serde_json::Map<String, Value> = self
            .variables()
            .into_iter()
            .map(|name| (name.to_owned(), json!("sample")))
            .collect();
        json!({
            "sid": self.sid,
            "account_sid": account_sid,
            "friendly_name": self.friendly_name,
            "language": self.language,
            "variables": samples,
            "types": {"twilio/text": {"body": self.body}},
            "approval_requests": {
                "name": self.friendly_name,
                "category": "UTILITY",
                "content_type": "twilio/text",
                "status": self.status,
                "rejection_reason": self.rejection_reason,
                "allow_category_change": true,
            },
            "date_created": "2026-01-01T12:00:00Z",
            "date_updated": "2026-01-01T12:00:00Z",
            "url": format!("{base}/v1/Content/{}", self.sid),
        })
    }
}

/// What is asked of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    page_size: usize,
    page: usize,
}

/// Reads the query.
pub(super) fn query(params: &[(String, String)]) -> Result<Query, Refusal> {
    let number = |wanted: &str, default: usize| {
        let found = params.iter().find(|(name, _)| name == wanted);
        let number = found.map_or(Ok(default), |(_, value)| value.parse());
        number.map_err(|_| Refusal::bad(20001, format!("Parameter '{wanted}' is not valid")))
    };
    Ok(Query {
        page_size: number("PageSize", PAGE_SIZE)?.clamp(1, PAGE_SIZE_MAX),
        page: number("Page", 0)?,
    })
}

/// One page of the list.
pub(super) fn page(query: &Query, account: &Account, base: &str) -> Value {
    let Query { page_size, page } = *query;
    let all = &account.templates;
    let contents: Vec<Value> = all
        .iter()
        .skip(page * page_size)
        .take(page_size)
        .map(|template| template.resource(&account.sid, base))
        .collect();
    let address =
        |page: usize| format!("{base}{PATH}?PageSize={page_size}&Page={page}&PageToken=DN{page}");
    let more = (page + 1) * page_size < all.len();
    json!({
        "contents": contents,
        "meta": {
            "page": page,
            "page_size": page_size,
            "first_page_url": address(0),
            "previous_page_url": page.checked_sub(1).map(address),
            "url": address(page),
            "next_page_url": more.then(|| address(page + 1)),
            "key": "contents",
        },
    })
}

/// When people last wrote, and for how long they may be answered freely.
#[derive(Debug)]
pub(super) struct Windows {
    length: Duration,
    heard: std::collections::HashMap<(String, String), Instant>,
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            length: WINDOW,
            heard: std::collections::HashMap::new(),
        }
    }
}

impl Windows {
    /// Sets how long windows last.
    pub(super) fn set_length(&mut self, length: Duration) {
        self.length = length;
    }

    /// A person wrote.
    pub(super) fn hear(&mut self, person: &str, ours: &str) {
        let key = (person.to_owned(), ours.to_owned());
        self.heard.insert(key, Instant::now());
    }

    /// Forgets that a person wrote.
    pub(super) fn forget(&mut self, person: &str) {
        self.heard.retain(|(known, _), _| known != person);
    }

    fn is_open(&self, person: &str, ours: &str) -> bool {
        let heard = self.heard.get(&(person.to_owned(), ours.to_owned()));
        heard.is_some_and(|at| at.elapsed() < self.length)
    }
}

/// The code with which WhatsApp fails an accepted message later; none where it takes it.
pub(super) fn verdict(account: &Account, draft: &Draft, sender: &str) -> Option<u32> {
    if !draft.to.starts_with("whatsapp:") {
        return None;
    }
    let open = account.windows.is_open(&draft.to, sender);
    let sid = draft.content_sid.as_deref();
    let template = sid.and_then(|sid| account.templates.iter().find(|known| known.sid == sid));
    let Some(template) = template else {
        // An account without templates has its content elsewhere.
        let is_free_form = sid.is_none() || !account.templates.is_empty();
        return (is_free_form && !open).then_some(63016);
    };
    match template.status.as_str() {
        "rejected" | "disabled" => return Some(63040),
        "paused" => return Some(63041),
        "approved" => {}
        _ if !open => return Some(63016),
        _ => {}
    }
    let given: Value = draft
        .content_variables
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let mut given: Vec<&str> = given
        .as_object()
        .map(|values| values.keys().map(String::as_str).collect())
        .unwrap_or_default();
    let mut wanted = template.variables();
    given.sort_unstable();
    wanted.sort_unstable();
    (given != wanted).then_some(63028)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: &str = "whatsapp:+15005550101";
    const US: &str = "whatsapp:+15550100";

    fn draft(content: Option<(&str, &str)>) -> Draft {
        Draft {
            to: ADA.to_owned(),
            from: Some(US.to_owned()),
            messaging_service_sid: None,
            body: "Hi".to_owned(),
            media: Vec::new(),
            content_sid: content.map(|(sid, _)| sid.to_owned()),
            content_variables: content.map(|(_, values)| values.to_owned()),
            status_callback: None,
            scheduled: false,
        }
    }

    #[test]
    fn free_form_needs_an_open_window_and_templates_an_approval() {
        let mut account = Account::new();
        let good = ContentTemplate::approved("order", "Hi {{1}}");
        let bad = ContentTemplate::approved("sale", "x").with_status("rejected", "promotional");
        let new = ContentTemplate::approved("menu", "x").with_status("unsubmitted", "");
        let sids = [&good, &bad, &new].map(|template| template.sid.clone());
        account.templates = vec![good, bad, new];
        let verdicts = |account: &Account| {
            let calls = [
                None,
                Some((sids[0].as_str(), r#"{"1":"Ada"}"#)),
                Some((sids[0].as_str(), "{}")),
                Some((sids[1].as_str(), "{}")),
                Some((sids[2].as_str(), "{}")),
            ];
            calls.map(|content| verdict(account, &draft(content), US))
        };
        let closed = [Some(63016), None, Some(63028), Some(63040), Some(63016)];
        assert_eq!(verdicts(&account), closed);
        account.windows.hear(ADA, US);
        let open = [None, None, Some(63028), Some(63040), None];
        assert_eq!(verdicts(&account), open);
        account.windows.set_length(Duration::ZERO);
        assert_eq!(verdicts(&account), closed);
    }

    #[test]
    fn the_list_has_pages() {
        let mut account = Account::new();
        account.templates = (0..3)
            .map(|number| ContentTemplate::approved(&format!("t{number}"), "x"))
            .collect();
        let params = [("PageSize".to_owned(), "2".to_owned())];
        let first = page(&query(&params).unwrap(), &account, "http://x");
        assert_eq!(first["contents"].as_array().map(Vec::len), Some(2));
        let next = first["meta"]["next_page_url"].as_str().unwrap();
        assert!(
            next.starts_with("http://x/v1/ContentAndApprovals?PageSize=2&Page=1"),
            "{next}"
        );
        let params = [("PageSize", "2"), ("Page", "1")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let last = page(&query(&params).unwrap(), &account, "http://x");
        assert_eq!(last["contents"].as_array().map(Vec::len), Some(1));
        assert!(last["meta"]["next_page_url"].is_null());
    }
}
