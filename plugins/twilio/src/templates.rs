//! Content templates: `GET {content}/v1/ContentAndApprovals`, page by page.
//!
//! ```text
//! first page ──> meta.next_page_url ──> ... ──> none left: done
//!      └─ what each page held goes along in the cursor
//! ```
//!
//! Twilio serves them from a host of their own (its Content API). A template is called by its SID;
//! its name is only for people, and may be taken twice. Approval is that of WhatsApp; for SMS nobody
//! approves.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use trunkline_plugin_api::{HttpRequest, Step, Template, Turn};

use crate::{
    config::Settings,
    rest::{self, Api, Resource},
};

/// Templates on one page: an answer has to stay below a mebibyte.
const PAGE_SIZE: &str = "100";
/// Pages read at most; the daemon makes no more calls in one run.
const PAGES_MAX: usize = 15;
/// Longest text kept of a template, in characters; WhatsApp takes 1024 in a body.
const BODY_CHARS_MAX: usize = 2_000;
/// Variables read of one template.
const VARIABLES_MAX: usize = 100;

/// How far the list has come.
#[derive(Default, Serialize, Deserialize)]
struct Walk {
    /// Pages read.
    pages: usize,
    /// The page that is asked for; none for the first.
    #[serde(default)]
    next: Option<String>,
    /// What the pages before it held.
    #[serde(default)]
    found: Vec<Template>,
}

/// Lists the account's templates.
pub(crate) fn list(settings: &Settings, turn: &Turn) -> Step<Vec<Template>> {
    let Some(api) = &settings.api else {
        return Step::fail(rest::no_credentials());
    };
    let mut walk: Walk = serde_json::from_value(turn.cursor.clone()).unwrap_or_default();
    let Some(reply) = &turn.reply else {
        return ask(api, &walk);
    };
    let page = match rest::read(reply, turn.now_ms) {
        Ok(page) => page,
        Err(error) => return Step::fail(error),
    };
    let Some(contents) = page.get("contents").and_then(Value::as_array) else {
        return Step::fail(rest::unreadable());
    };
    walk.found.extend(contents.iter().filter_map(template));
    walk.pages += 1;
    let next = page.get("meta").map(Resource);
    walk.next = next.and_then(|meta| meta.text("next_page_url").map(String::from));
    if walk.next.is_none() || walk.pages == PAGES_MAX {
        return Step::done(walk.found);
    }
    ask(api, &walk)
}

fn ask(api: &Api, walk: &Walk) -> Step<Vec<Template>> {
    let request = match &walk.next {
        None => Some(api.get_content(&["ContentAndApprovals"], &[("PageSize", PAGE_SIZE)])),
        Some(url) => api.get_content_page(url),
    };
    let cursor = serde_json::to_value(walk).expect("texts and numbers are JSON");
    match request {
        Some(request) => Step::call(request, cursor),
        None => Step::fail(rest::unreadable()),
    }
}

/// One entry of the list; none without a SID.
fn template(content: &Value) -> Option<Template> {
    let resource = Resource(content);
    let sid = resource.text("sid")?;
    let approval = approval(content);
    let approval = Resource(approval);
    let types = content.get("types").unwrap_or(&Value::Null);
    let name = resource.text("friendly_name").unwrap_or(sid);
    Some(Template {
        id: sid.into(),
        name: name.into(),
        language: resource.text("language").map(String::from),
        status: approval.text("status").unwrap_or("unsubmitted").into(),
        body: body(types),
        variables: variables(types, content.get("variables")),
        category: approval.text("category").map(String::from),
        reason: approval.text("rejection_reason").map(String::from),
    })
}

/// The approval of WhatsApp. The list has its fields in `approval_requests` itself; the call for one
/// template has them one level deeper.
fn approval(content: &Value) -> &Value {
    let requests = content.get("approval_requests").unwrap_or(&Value::Null);
    requests
        .get("whatsapp")
        .filter(|inner| inner.is_object())
        .unwrap_or(requests)
}

/// The text of the first type that has one. Types are sorted by name, so that the same list always
/// reads the same.
fn body(types: &Value) -> Option<String> {
    let types = types.as_object()?;
    let mut named: Vec<(&String, &Value)> = types.iter().collect();
    named.sort_by_key(|(name, _)| *name);
    let text = |value: &&Value| {
        let resource = Resource(value);
        resource
            .text("body")
            .or_else(|| resource.text("title"))
            .map(String::from)
    };
    let body = named.iter().find_map(|(_, value)| text(value))?;
    Some(body.chars().take(BODY_CHARS_MAX).collect())
}

/// The names in `{{...}}` anywhere in the template, in the order in which they come, then those that
/// only have a sample value.
fn variables(types: &Value, samples: Option<&Value>) -> Vec<String> {
    let mut names = Vec::new();
    collect(types, &mut names);
    let samples = samples.and_then(Value::as_object).map(Map::keys);
    let mut rest: Vec<&String> = samples.into_iter().flatten().collect();
    rest.sort();
    for name in rest {
        note(name, &mut names);
    }
    names
}

fn collect(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            for behind in text.split("{{").skip(1) {
                if let Some((name, _)) = behind.split_once("}}") {
                    note(name.trim(), names);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        Value::Object(members) => members.values().for_each(|member| collect(member, names)),
        _ => {}
    }
}

fn note(name: &str, names: &mut Vec<String>) {
    let is_name = !name.is_empty()
        && name.len() <= 64
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_name && names.len() < VARIABLES_MAX && !names.iter().any(|known| known == name) {
        names.push(name.into());
    }
}

impl Api {
    /// `GET {content}/v1/{path}`.
    fn get_content(&self, path: &[&str], query: &[(&str, &str)]) -> HttpRequest {
        let mut url = self.content_base();
        url.path_segments_mut()
            .expect("the base is http or https, which has a path")
            .pop_if_empty()
            .push("v1")
            .extend(path);
        url.query_pairs_mut().extend_pairs(query);
        self.get_url(url)
    }

    /// Follows a `next_page_url`, which is a whole URL of the same host; none where it is not.
    fn get_content_page(&self, url: &str) -> Option<HttpRequest> {
        let url = url::Url::parse(url).ok()?;
        let is_ours = url.origin() == self.content_base().origin();
        is_ours.then(|| self.get_url(url))
    }
}
