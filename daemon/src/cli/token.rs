//! `trunkline token`: tokens for the API; create, list, revoke.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::{
    admin::{Admin, Query, id},
    failure::Failure,
    list::ListArgs,
    output,
    table::Column,
};

const COLUMNS: [Column; 5] = [
    Column::text("ID", "/id"),
    Column::text("NAME", "/name"),
    Column::text("ROLE", "/role"),
    Column::text("ORGANIZATION", "/organization"),
    Column::time("CREATED", "/created_at"),
];

/// The verb.
#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Makes a token and prints it, once.
    Create(Create),
    /// Lists tokens, without their secrets.
    List(ListArgs),
    /// Takes a token back at once.
    Revoke {
        /// The token's id.
        #[arg(value_parser = id)]
        token: String,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
}

/// A token to make.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// What it may do.
    #[arg(long, value_enum)]
    role: Role,
    /// What it is for.
    #[arg(long)]
    name: String,
    /// Confines it to one organization.
    #[arg(long, value_name = "SLUG")]
    organization: Option<String>,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

/// What a token or a user may do.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Role {
    /// Reads, changes, and hands out access.
    Owner,
    /// Reads and changes.
    Admin,
    /// Reads.
    Member,
}

impl Token {
    /// Does it.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.perform(admin).await,
            Self::List(list) => {
                list.show(admin, &["tokens"], Query::default(), &COLUMNS)
                    .await
            }
            Self::Revoke { token, json } => {
                admin.delete(&["tokens", &token]).await?;
                if json {
                    return output::print_json(&json!({"id": token, "revoked": true}));
                }
                output::print(&format!("{token} is revoked"))
            }
        }
    }
}

impl Create {
    async fn perform(&self, admin: &Admin) -> Result<(), Failure> {
        let mut body = json!({"name": self.name, "role": self.role.as_str()});
        if let Some(organization) = &self.organization {
            body["organization"] = organization.as_str().into();
        }
        let made = admin
            .call(&["tokens"], &Query::default(), Some(&body), &[])
            .await?;
        if self.json {
            return output::print_json(&made);
        }
        let word = |name: &str| output::clean(made[name].as_str().unwrap_or("?"));
        output::complain(&format!(
            "{} ({}); it is not shown again:",
            word("id"),
            word("role")
        ));
        // Alone on standard output, so that it can go into a file.
        output::print(&word("token"))
    }
}

impl Role {
    /// As the API writes it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }
}
