//! Pages over what a caller may see: one organization after the other, the cursor saying how far.

use std::str::FromStr;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    model::OrgId,
    store::{Page, StoreError},
    web::problem::Problem,
};

/// One page with the organization of each item, and the cursor of the next.
pub(super) type Found<T> = (Vec<(OrgId, T)>, Option<String>);

/// Items on a page where the caller does not say.
const LIMIT: usize = 50;
/// Items on a page at most.
const LIMIT_MAX: usize = 100;

/// The part of a query that pages.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Paging {
    limit: Option<usize>,
    cursor: Option<String>,
}

impl Paging {
    /// Paging from a query that has more in it.
    pub(super) fn new(limit: Option<usize>, cursor: Option<String>) -> Self {
        Self { limit, cursor }
    }

    /// Items wanted.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        match self.limit {
            None => Ok(LIMIT),
            Some(limit @ 1..=LIMIT_MAX) => Ok(limit),
            Some(_) => Err(Problem::invalid(format!(
                "limit must be from 1 to {LIMIT_MAX}"
            ))),
        }
    }

    /// Where a list of one organization goes on.
    pub(super) fn cursor<C: FromStr>(&self) -> Result<Option<C>, Problem> {
        self.cursor.as_deref().map(read).transpose()
    }

    /// Reads one page over several organizations.
    pub(super) fn over<T, C: FromStr + ToString>(
        &self,
        organizations: &[OrgId],
        mut page_of: impl FnMut(OrgId, Option<C>, usize) -> Result<Page<T, C>, StoreError>,
    ) -> Result<Found<T>, Problem> {
        let limit = self.limit()?;
        let mut start = match &self.cursor {
            None => None,
            Some(cursor) => {
                let (org, inner) = cursor.split_once('.').ok_or_else(wrong_cursor)?;
                let org = org.parse().map(OrgId).map_err(|_| wrong_cursor())?;
                let inner = if inner.is_empty() {
                    None
                } else {
                    Some(read(inner)?)
                };
                Some((org, inner))
            }
        };
        let mut items = Vec::new();
        for org in organizations {
            let after = match &mut start {
                Some((first, _)) if org < first => continue,
                Some((first, inner)) if org == first => inner.take(),
                _ => None,
            };
            if items.len() == limit {
                return Ok((items, Some(format!("{}.", org.0))));
            }
            let page = page_of(*org, after, limit - items.len())?;
            items.extend(page.items.into_iter().map(|item| (*org, item)));
            if let Some(next) = page.next {
                return Ok((items, Some(format!("{}.{}", org.0, next.to_string()))));
            }
        }
        Ok((items, None))
    }
}

fn read<C: FromStr>(cursor: &str) -> Result<C, Problem> {
    cursor.parse().map_err(|_| wrong_cursor())
}

fn wrong_cursor() -> Problem {
    Problem::invalid("cursor is not one that a list gave as \"next\"")
}

/// The form of every list.
pub(super) fn list(items: Vec<Value>, next: Option<String>) -> Value {
    let mut list = Map::new();
    list.insert("items".into(), Value::Array(items));
    list.insert("next".into(), next.map_or(Value::Null, Value::String));
    Value::Object(list)
}
