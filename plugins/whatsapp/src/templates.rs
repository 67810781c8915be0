//! Lists the account's templates: `GET /{version}/{waba_id}/message_templates`, page by page (Graph API: WhatsApp
//! Business Account, message templates; cursor-based pagination).
//!
//! What the pages so far held goes along in the cursor, which nothing saves for this call.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use trunkline_plugin_api::{AdapterError, ErrorClass, LogLevel, Step, Template, Turn, log};

use crate::{config::Settings, errors, fields, graph};

const FIELDS: &str = "id,name,language,status,category,components,rejected_reason";
/// Templates on one page: an answer has to stay below a mebibyte.
const PAGE_SIZE: &str = "100";
/// Pages that are read; the daemon performs no more than 16 calls in a row.
const PAGES_MAX: usize = 15;
/// Characters of a body that are listed, as many as Meta takes.
const BODY_CHARS_MAX: usize = 1_100;

#[derive(Default, Serialize, Deserialize)]
struct Walk {
    /// Where the page begins that is asked for; none for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    /// Pages read.
    pages: usize,
    /// What they held.
    found: Vec<Template>,
}

/// Lists the templates of the account.
pub(crate) fn templates(settings: &Settings, turn: &Turn) -> Step<Vec<Template>> {
    step(settings, turn).unwrap_or_else(|error| Step::fail(errors::name_token(error, settings)))
}

fn step(settings: &Settings, turn: &Turn) -> Result<Step<Vec<Template>>, AdapterError> {
    let api = settings.api()?;
    let Some(account) = settings.waba_id.as_deref() else {
        return Err(AdapterError::new(
            ErrorClass::Config,
            "no_account",
            "No account configured: set waba_id to list templates",
        ));
    };
    let ask = |walk: Walk| {
        let mut query = vec![("fields", FIELDS), ("limit", PAGE_SIZE)];
        query.extend(walk.after.as_deref().map(|after| ("after", after)));
        let request = api.get(&[account, "message_templates"], &query);
        Step::call(request, json!(walk))
    };
    let mut walk: Walk = serde_json::from_value(turn.cursor.clone()).unwrap_or_default();
    let Some(reply) = &turn.reply else {
        return Ok(ask(walk));
    };
    let page = graph::read(reply, turn.now_ms)?;
    walk.found
        .extend(fields::list(&page, "data").filter_map(template));
    walk.pages += 1;
    match next(&page) {
        Some(after) if walk.pages < PAGES_MAX => Ok(ask(Walk {
            after: Some(after.into()),
            ..walk
        })),
        more => {
            if more.is_some() {
                let words = format!(
                    "the account has more templates than the {} that are listed",
                    walk.found.len()
                );
                log(LogLevel::Warn, "whatsapp", &words);
            }
            Ok(Step::done(walk.found))
        }
    }
}

/// Where the list goes on: the last page names no `next`, though it has cursors.
fn next(page: &Value) -> Option<&str> {
    let paging = page.get("paging")?;
    fields::text(paging, "next")?;
    fields::text(paging.get("cursors")?, "after")
}

fn template(item: &Value) -> Option<Template> {
    let body = body(item);
    Some(Template {
        id: fields::id(item, "id")?,
        name: fields::text(item, "name")?.into(),
        language: fields::text(item, "language").map(String::from),
        status: fields::text(item, "status").unwrap_or("UNKNOWN").into(),
        variables: body.as_deref().map(variables).unwrap_or_default(),
        body,
        category: fields::text(item, "category").map(String::from),
        reason: fields::text(item, "rejected_reason")
            .filter(|reason| *reason != "NONE")
            .map(String::from),
    })
}

fn body(item: &Value) -> Option<String> {
    let is_body = |part: &&Value| {
        fields::text(part, "type").is_some_and(|kind| kind.eq_ignore_ascii_case("body"))
    };
    let body = fields::list(item, "components").find(is_body)?;
    let text = fields::text(body, "text")?;
    Some(text.chars().take(BODY_CHARS_MAX).collect())
}

/// The names or numbers between double braces, each once, in the order of the text.
fn variables(body: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for rest in body.split("{{").skip(1) {
        let Some((name, _)) = rest.split_once("}}") else {
            continue;
        };
        let name = name.trim();
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        if !name.is_empty() && name.chars().all(is_name) && !found.iter().any(|known| known == name)
        {
            found.push(name.into());
        }
    }
    found
}
