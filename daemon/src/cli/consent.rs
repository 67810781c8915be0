//! `trunkline consent`: list, show, set, export.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::{
    admin::{Admin, Query, id},
    failure::Failure,
    list::{ListArgs, every},
    output,
    table::{self, Column},
};

/// Entries fetched at once.
const PAGE: u32 = 100;

const COLUMNS: [Column; 6] = [
    Column::text("SPACE", "/space"),
    Column::text("IDENTIFIER", "/identifier"),
    Column::text("SENDER", "/scope"),
    Column::text("STATE", "/state"),
    Column::time("SINCE", "/since"),
    Column::made("BY", newest_source),
];

const PROOFS: [Column; 7] = [
    Column::text("SENDER", "/scope"),
    Column::time("AT", "/at"),
    Column::text("CHANGE", "/change"),
    Column::text("SOURCE", "/source"),
    Column::text("WORD", "/keyword"),
    Column::text("MESSAGE", "/message"),
    Column::made("BY", who),
];

/// The verb.
#[derive(Debug, Subcommand)]
pub(super) enum Consent {
    /// Lists who has opted out or in, by sender.
    List {
        /// Only this number, address or id.
        #[arg(long, value_name = "ADDRESS")]
        identifier: Option<String>,
        /// Only those in this state.
        #[arg(long, value_enum)]
        state: Option<State>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Shows every proof of one number, address or id.
    Show {
        /// The number, address or id.
        identifier: String,
        /// Prints the API's JSON.
        #[arg(long)]
        json: bool,
    },
    /// Records that a person has opted out or in, with the reason as its proof.
    Set(Set),
    /// Prints the whole ledger with every proof, one JSON object a line.
    Export {
        /// Prints one JSON array instead.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum State {
    OptedOut,
    OptedIn,
    Unknown,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Change {
    OptOut,
    OptIn,
}

/// A change to record.
#[derive(Debug, Args)]
pub(super) struct Set {
    /// The number, address or id.
    identifier: String,
    /// Which way.
    #[arg(value_enum)]
    change: Change,
    /// Why: where and how the person said so.
    #[arg(long)]
    reason: String,
    /// For messages of this channel (and of others that send from the same address).
    #[arg(long, value_parser = id, required_unless_present = "scope", conflicts_with = "scope")]
    channel: Option<String>,
    /// For messages from this address of ours; `*` is every sender of the organization.
    #[arg(long, value_name = "ADDRESS")]
    scope: Option<String>,
    /// What kind of address it is: phone, whatsapp, email ...
    #[arg(long)]
    space: Option<String>,
    /// The organization, where there are several.
    #[arg(long)]
    organization: Option<String>,
    /// It comes from a list of another system.
    #[arg(long)]
    import: bool,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

impl Consent {
    /// Does it.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        match self {
            Self::List {
                identifier,
                state,
                list,
            } => {
                let query = Query::default()
                    .with("identifier", identifier)
                    .with("state", state.map(State::as_str));
                list.show(admin, &["consents"], query, &COLUMNS).await
            }
            Self::Show { identifier, json } => show(admin, identifier, json).await,
            Self::Set(set) => set.perform(admin).await,
            Self::Export { json } => export(admin, json).await,
        }
    }
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::OptedOut => "opted_out",
            Self::OptedIn => "opted_in",
            Self::Unknown => "unknown",
        }
    }
}

impl Set {
    async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        let query = Query::default();
        let entry = admin
            .call(&["consents"], &query, Some(&self.body()), &[])
            .await?;
        if self.json {
            return output::print_json(&entry);
        }
        output::print(&table::render(std::slice::from_ref(&entry), &COLUMNS))
    }

    fn body(&self) -> Value {
        let change = match self.change {
            Change::OptOut => "opt_out",
            Change::OptIn => "opt_in",
        };
        let mut body = Map::new();
        body.insert("identifier".into(), self.identifier.clone().into());
        body.insert("change".into(), change.into());
        body.insert("reason".into(), self.reason.clone().into());
        let optional = [
            ("channel", &self.channel),
            ("scope", &self.scope),
            ("space", &self.space),
            ("organization", &self.organization),
        ];
        for (name, value) in optional {
            body.extend(value.clone().map(|value| (name.to_owned(), value.into())));
        }
        if self.import {
            body.insert("import".into(), true.into());
        }
        body.into()
    }
}

async fn show(admin: &Admin, identifier: String, json: bool) -> Result<(), Failure> {
    let query = Query::default().with("identifier", Some(identifier));
    let entries = every(admin, &["consents"], query, PAGE).await?;
    if json {
        return output::print_json(&json!({"items": entries, "next": null}));
    }
    output::print(&table::render(&entries, &COLUMNS))?;
    let proofs: Vec<Value> = entries.iter().flat_map(proofs).collect();
    if proofs.is_empty() {
        return Ok(());
    }
    output::print(&format!("\n{}", table::render(&proofs, &PROOFS)))
}

/// The proofs of an entry, each with the sender that it is for.
fn proofs(entry: &Value) -> Vec<Value> {
    let history = entry["history"].as_array().into_iter().flatten();
    history
        .map(|proof| {
            let mut proof = proof.clone();
            proof["scope"] = entry["scope"].clone();
            proof
        })
        .collect()
}

async fn export(admin: &Admin, json: bool) -> Result<(), Failure> {
    if json {
        let entries = every(admin, &["consents"], Query::default(), PAGE).await?;
        return output::print_json(&Value::Array(entries));
    }
    let mut cursor: Option<String> = None;
    loop {
        let query = Query::default()
            .with("limit", Some(PAGE))
            .with("cursor", cursor.as_ref());
        let page = admin.get(&["consents"], &query).await?;
        let items = page["items"].as_array();
        let items = items.ok_or_else(|| admin.garbled("it holds no list of items"))?;
        for entry in items {
            output::print(&entry.to_string())?;
        }
        let next = page["next"].as_str().map(str::to_owned);
        if next.is_none() || next == cursor || items.is_empty() {
            return Ok(());
        }
        cursor = next;
    }
}

fn newest_source(entry: &Value) -> String {
    let newest = entry["history"].as_array().and_then(|proofs| proofs.last());
    let source = newest.and_then(|proof| proof["source"].as_str());
    source.unwrap_or("-").to_owned()
}

/// Who or what stands behind a proof, and why.
fn who(proof: &Value) -> String {
    let parts = ["by", "reason", "reference"].map(|name| proof[name].as_str());
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        "-".into()
    } else {
        parts.join(": ")
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        set: Set,
    }

    #[test]
    fn only_what_was_given_is_recorded() {
        let parse = |rest: &[&str]| {
            let arguments = [
                &["set", "+15550101", "opt_out", "--reason", "by phone"],
                rest,
            ];
            Line::try_parse_from(arguments.concat()).map(|line| line.set.body())
        };
        assert_eq!(
            parse(&["--scope", "*"]).expect("arguments"),
            json!({"identifier": "+15550101", "change": "opt_out", "reason": "by phone", "scope": "*"})
        );
        assert_eq!(
            parse(&["--channel", "sms", "--import"]).expect("arguments"),
            json!({
                "identifier": "+15550101", "change": "opt_out", "reason": "by phone", "channel": "sms",
                "import": true
            })
        );
        assert!(parse(&[]).is_err());
        assert!(parse(&["--channel", "sms", "--scope", "*"]).is_err());
    }

    #[test]
    fn a_proof_names_who_stands_behind_it() {
        assert_eq!(
            who(&json!({"by": "uid 0", "reason": "asked"})),
            "uid 0: asked"
        );
        assert_eq!(who(&json!({"reference": "21610"})), "21610");
        assert_eq!(who(&json!({"by": null})), "-");
    }
}
