//! What every list verb does alike: pages, `--json`, and the table.

use clap::Args;
use serde_json::{Value, json};

use super::{
    admin::{Admin, Query},
    failure::Failure,
    output,
    table::{self, Column},
};

/// Items per page where all pages are read: the API's most.
const PAGE: u32 = 100;

/// How much of a list to show, and how.
#[derive(Debug, Clone, Args)]
pub(super) struct ListArgs {
    /// Prints the API's JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Items to show, at most 100.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: Option<u32>,
    /// Goes on where an earlier page ended.
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// Follows the pages to the end.
    #[arg(long, conflicts_with = "cursor")]
    all: bool,
}

impl ListArgs {
    /// Fetches the list and prints it.
    pub(super) async fn show(
        &self,
        admin: &Admin,
        path: &[&str],
        query: Query,
        columns: &[Column],
    ) -> Result<(), Failure> {
        let list = self.fetch(admin, path, query).await?;
        if self.json {
            return output::print_json(&list);
        }
        let items = list["items"].as_array();
        let items = items.ok_or_else(|| admin.garbled("it holds no list of items"))?;
        output::print(&table::render(items, columns))?;
        if let Some(cursor) = list["next"].as_str() {
            let cursor = output::clean(cursor);
            output::complain(&format!("there is more: --cursor {cursor}, or --all"));
        }
        Ok(())
    }

    async fn fetch(&self, admin: &Admin, path: &[&str], query: Query) -> Result<Value, Failure> {
        if self.all {
            let items = every(admin, path, query, self.limit.unwrap_or(PAGE)).await?;
            return Ok(json!({"items": items, "next": null}));
        }
        let query = query
            .with("limit", self.limit)
            .with("cursor", self.cursor.as_ref());
        Ok(admin.get(path, &query).await?)
    }
}

/// Every item of a list over all its pages.
pub(super) async fn every(
    admin: &Admin,
    path: &[&str],
    query: Query,
    limit: u32,
) -> Result<Vec<Value>, Failure> {
    let mut items = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let query = query
            .clone()
            .with("limit", Some(limit))
            .with("cursor", cursor.as_ref());
        let mut page = admin.get(path, &query).await?;
        let Value::Array(more) = page["items"].take() else {
            return Err(admin.garbled("it holds no list of items").into());
        };
        let next = page["next"].as_str().map(str::to_owned);
        // A cursor that leads nowhere must not be followed for ever.
        let stuck = more.is_empty() || next == cursor;
        items.extend(more);
        match next {
            Some(next) if !stuck => cursor = Some(next),
            _ => return Ok(items),
        }
    }
}
