//! `trunkline audit`: list, verify.

use clap::Subcommand;
use serde_json::Value;

use super::{
    admin::{Admin, Query},
    failure::Failure,
    list::ListArgs,
    output,
    table::{self, Column},
};

const COLUMNS: [Column; 6] = [
    Column::time("AT", "/at"),
    Column::text("ORGANIZATION", "/organization"),
    Column::text("NO", "/sequence"),
    Column::made("ACTOR", actor),
    Column::text("ACTION", "/action"),
    Column::made("OBJECT", object),
];

const CHAINS: [Column; 5] = [
    Column::text("ORGANIZATION", "/organization"),
    Column::text("ENTRIES", "/entries"),
    Column::text("HEAD", "/head/sequence"),
    Column::text("HASH", "/head/hash"),
    Column::made("BROKEN", broken),
];

/// The verb.
#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Lists who changed what, newest first.
    List {
        /// Only of this organization.
        #[arg(long)]
        organization: Option<String>,
        /// Only by actors whose name holds this: `uid 1000`, a token's id or name, `daemon`.
        #[arg(long)]
        actor: Option<String>,
        /// Only this action, such as `channel.disable`; `contact.` is all that begin so.
        #[arg(long)]
        action: Option<String>,
        /// Only since this time, such as 2026-11-21T12:00:00Z.
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Walks the chain of hashes; says where it breaks. Note the head's hash elsewhere to notice a chain that was
    /// written anew.
    Verify {
        /// Prints the API's JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Audit {
    /// Does it.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        match self {
            Self::List {
                organization,
                actor,
                action,
                since,
                list,
            } => {
                let query = Query::default()
                    .with("organization", organization)
                    .with("actor", actor)
                    .with("action", action)
                    .with("since", since);
                list.show(admin, &["audit"], query, &COLUMNS).await
            }
            Self::Verify { json } => verify(admin, json).await,
        }
    }
}

async fn verify(admin: &Admin, json: bool) -> Result<(), Failure> {
    let report = admin.get(&["audit", "verify"], &Query::default()).await?;
    if json {
        output::print_json(&report)?;
    } else {
        let chains = report["chains"].as_array();
        let chains = chains.ok_or_else(|| admin.garbled("it holds no chains"))?;
        output::print(&table::render(chains, &CHAINS))?;
    }
    if report["sound"] == true {
        return Ok(());
    }
    output::complain("trunkline: the audit was changed by somebody else than the daemon");
    Err(Failure::Told)
}

fn actor(entry: &Value) -> String {
    let text = |name: &str| entry["actor"][name].as_str().unwrap_or_default();
    match text("name") {
        "" => format!("{} {}", text("kind"), text("id"))
            .trim_end()
            .to_owned(),
        name => format!("{} {} ({name})", text("kind"), text("id")),
    }
}

fn object(entry: &Value) -> String {
    let ids = entry["object"].as_object().into_iter().flatten();
    let ids: Vec<String> = ids
        .map(|(kind, id)| format!("{kind}:{}", id.as_str().unwrap_or("?")))
        .collect();
    if ids.is_empty() {
        "-".into()
    } else {
        ids.join(" ")
    }
}

fn broken(chain: &Value) -> String {
    let broken = &chain["broken"];
    match broken["sequence"].as_u64() {
        Some(at) => format!("at {at}: {}", broken["why"].as_str().unwrap_or("?")),
        None => "-".into(),
    }
}
