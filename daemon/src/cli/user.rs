//! `trunkline user`: create, list, password, role, disable, enable, delete.

use std::io::{self, BufRead as _};

use clap::{Args, Subcommand};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::{
    admin::{Admin, Query, id},
    failure::Failure,
    list::ListArgs,
    output,
    table::Column,
    token::Role,
};

const COLUMNS: [Column; 6] = [
    Column::text("NAME", "/name"),
    Column::text("ROLE", "/role"),
    Column::text("ORGANIZATION", "/organization"),
    Column::text("DISABLED", "/disabled"),
    Column::time("SIGNED IN", "/signed_in_at"),
    Column::text("ID", "/id"),
];

/// The verb.
#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Makes a user.
    Create {
        #[command(flatten)]
        one: One,
        /// What the person may do.
        #[arg(long, value_enum)]
        role: Role,
        /// Confines the person to one organization.
        #[arg(long, value_name = "SLUG")]
        organization: Option<String>,
        #[command(flatten)]
        password: Password,
    },
    /// Lists users.
    List(ListArgs),
    /// Gives a user a new password; all their sessions end.
    Password {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        password: Password,
    },
    /// Changes what a user may do.
    Role {
        #[command(flatten)]
        one: One,
        /// What the person may do.
        #[arg(value_enum)]
        role: Role,
    },
    /// Keeps a user from signing in; all their sessions end.
    Disable(One),
    /// Lets a disabled user sign in again.
    Enable(One),
    /// Removes a user.
    Delete(One),
}

/// One user.
#[derive(Debug, Args)]
pub(super) struct One {
    /// The name to sign in with.
    #[arg(value_parser = id)]
    name: String,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

/// Where a password comes from.
#[derive(Debug, Args)]
pub(super) struct Password {
    /// Reads the password from standard input, one line; without it one is made and printed, once.
    #[arg(long)]
    password_stdin: bool,
}

impl User {
    /// Does it.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        match self {
            Self::Create {
                one,
                role,
                organization,
                password,
            } => {
                let secret = password.read()?;
                let mut body = json!({"name": one.name, "role": role.as_str(), "password": secret});
                if let Some(organization) = organization {
                    body["organization"] = organization.into();
                }
                let query = Query::default();
                let made = admin.call(&["users"], &query, Some(&body), &[]).await?;
                one.tell(made, "is made", password.shown(secret))
            }
            Self::List(list) => {
                list.show(admin, &["users"], Query::default(), &COLUMNS)
                    .await
            }
            Self::Password { one, password } => {
                let secret = password.read()?;
                let changed = one.change(admin, &json!({ "password": secret })).await?;
                one.tell(changed, "has a new password", password.shown(secret))
            }
            Self::Role { one, role } => {
                let changed = one.change(admin, &json!({"role": role.as_str()})).await?;
                one.tell(changed, &format!("is {} now", role.as_str()), None)
            }
            Self::Disable(one) => {
                let changed = one.change(admin, &json!({"disabled": true})).await?;
                one.tell(changed, "is disabled", None)
            }
            Self::Enable(one) => {
                let changed = one.change(admin, &json!({"disabled": false})).await?;
                one.tell(changed, "may sign in", None)
            }
            Self::Delete(one) => {
                let removed = admin.delete(&["users", &one.name]).await?;
                one.tell(removed, "is removed", None)
            }
        }
    }
}

impl One {
    async fn change(&self, admin: &Admin, body: &Value) -> Result<Value, Failure> {
        let path = ["users", &self.name];
        Ok(admin
            .call(&path, &Query::default(), Some(body), &[])
            .await?)
    }

    /// A password that was made here goes alone to standard output, so that it can go into a file.
    fn tell(
        &self,
        mut answer: Value,
        words: &str,
        password: Option<String>,
    ) -> Result<(), Failure> {
        if self.json {
            if let Some(password) = password {
                answer["password"] = password.into();
            }
            return output::print_json(&answer);
        }
        let said = format!("{} {words}", self.name);
        match password {
            None => output::print(&said),
            Some(password) => {
                output::complain(&format!("{said}; the password is not shown again:"));
                output::print(&password)
            }
        }
    }
}

impl Password {
    fn read(&self) -> Result<String, Failure> {
        if !self.password_stdin {
            let mut bytes = [0; 18];
            ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes)
                .map_err(|_| Failure::said("the system gives no random numbers"))?;
            return Ok(BASE64URL_NOPAD.encode(&bytes));
        }
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// The password, where it was made here.
    fn shown(&self, secret: String) -> Option<String> {
        (!self.password_stdin).then_some(secret)
    }
}
