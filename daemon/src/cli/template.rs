//! `trunkline template`: list, show, refresh.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{
    admin::{Admin, Query, id},
    detail,
    failure::Failure,
    list::{ListArgs, every},
    output,
    table::Column,
};

const COLUMNS: [Column; 7] = [
    Column::text("CHANNEL", "/channel"),
    Column::text("NAME", "/name"),
    Column::text("LANGUAGE", "/language"),
    Column::text("STATUS", "/status"),
    Column::made("VARIABLES", variables),
    Column::text("ID", "/id"),
    Column::text("BODY", "/body"),
];

/// The verb.
#[derive(Debug, Subcommand)]
pub(super) enum Template {
    /// Lists the templates that the daemon knows.
    List {
        /// Only those of this channel.
        #[arg(long, value_name = "ID")]
        channel: Option<String>,
        /// Only those with this word of the provider, such as "approved".
        #[arg(long)]
        status: Option<String>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Shows a template in all its languages.
    Show(Show),
    /// Has a channel's provider list its templates now.
    Refresh {
        /// The channel's id.
        #[arg(value_parser = id)]
        channel: String,
        /// Prints the API's JSON.
        #[arg(long)]
        json: bool,
    },
}

/// One template.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The channel's id.
    #[arg(value_parser = id)]
    channel: String,
    /// The template's name, or the provider's id of it.
    name: String,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

impl Template {
    /// Does it.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        match self {
            Self::List {
                channel,
                status,
                list,
            } => {
                let query = Query::default()
                    .with("channel", channel)
                    .with("status", status);
                list.show(admin, &["templates"], query, &COLUMNS).await
            }
            Self::Show(show) => show.perform(admin).await,
            Self::Refresh { channel, json } => {
                let path = ["channels", &channel, "templates", "refresh"];
                let answer = admin.post(&path).await?;
                if json {
                    return output::print_json(&answer);
                }
                output::print(&refreshed(&answer))
            }
        }
    }
}

impl Show {
    async fn perform(&self, admin: &Admin) -> Result<(), Failure> {
        let query = Query::default()
            .with("channel", Some(&self.channel))
            .with("name", Some(&self.name));
        let found = every(admin, &["templates"], query, 100).await?;
        if found.is_empty() {
            let words = format!(
                "channel {} has no template \"{}\" in its catalogue; `trunkline template refresh {}` asks \
                 the provider",
                self.channel, self.name, self.channel
            );
            return Err(Failure::said(words));
        }
        if self.json {
            return output::print_json(&Value::Array(found));
        }
        let shown: Vec<String> = found.iter().map(detail::render).collect();
        output::print(&shown.join("\n\n"))
    }
}

fn variables(item: &Value) -> String {
    let names = item["variables"].as_array().into_iter().flatten();
    let names: Vec<&str> = names.filter_map(Value::as_str).collect();
    if names.is_empty() {
        "-".into()
    } else {
        names.join(", ")
    }
}

fn refreshed(answer: &Value) -> String {
    let mut lines = vec![format!("{} templates", answer["templates"])];
    for change in answer["changed"].as_array().into_iter().flatten() {
        let word = |name: &str| output::clean(change[name].as_str().unwrap_or_default());
        lines.push(format!(
            "{} {} is {}",
            word("name"),
            word("language"),
            word("status")
        ));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refresh_tells_what_changed() {
        let answer = json!({
            "templates": 3,
            "changed": [{"name": "order", "language": "en", "status": "PAUSED"}],
        });
        assert_eq!(refreshed(&answer), "3 templates\norder en is PAUSED");
        assert_eq!(variables(&json!({"variables": ["1", "name"]})), "1, name");
        assert_eq!(variables(&json!({})), "-");
    }
}
