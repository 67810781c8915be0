//! `trunkline plugin release`: takes a plugin out of quarantine.

use clap::Args;
use serde_json::Value;

use crate::cli::{
    admin::{Admin, id},
    failure::Failure,
    output,
};

/// Takes a plugin out of quarantine and starts its channels; says how they are.
#[derive(Debug, Args)]
pub(in crate::cli) struct Release {
    /// The adapter's id.
    #[arg(value_parser = id)]
    plugin: String,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

impl Release {
    /// Does it; fails where a channel is still down.
    pub(super) async fn perform(&self, admin: &Admin) -> Result<(), Failure> {
        let released = admin.post(&["plugins", &self.plugin, "release"]).await?;
        if self.json {
            output::print_json(&released)?;
        } else {
            output::print(&words(&self.plugin, &released))?;
        }
        let channels = released["channels"].as_array();
        let is_down = |channel: &Value| channel["state"] == "down";
        if channels.is_some_and(|channels| channels.iter().any(is_down)) {
            return Err(Failure::Told);
        }
        Ok(())
    }
}

/// What was lifted, and how the channels are, one sentence a line.
fn words(plugin: &str, released: &Value) -> String {
    let text = |value: &Value| output::clean(value.as_str().unwrap_or_default());
    let each = |list: &'static str| released[list].as_array().into_iter().flatten();
    let lifted = each("lifted").map(|entry| {
        let of = match entry["channel"].as_str() {
            Some(channel) => format!(" for channel {}", output::clean(channel)),
            None => String::new(),
        };
        let (version, reason) = (text(&entry["version"]), text(&entry["reason"]));
        format!("{plugin} {version} is released{of}: {reason}")
    });
    let channels = each("channels").map(|channel| {
        let id = text(&channel["id"]);
        match channel["state"].as_str() {
            Some("up") => format!("{id} runs"),
            _ => format!("{id} is down: {}", text(&channel["reason"])),
        }
    });
    let lines: Vec<String> = lifted.chain(channels).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lifted_and_how_the_channels_are_is_said() {
        let released = serde_json::json!({
            "lifted": [
                {"version": "1.0", "channel": null, "reason": "it ended the daemon by SIGABRT in send"},
                {"version": "1.1", "channel": "sms_a", "reason": "it hung in a call, for the second time"},
            ],
            "channels": [
                {"id": "sms_a", "state": "up", "reason": null},
                {"id": "sms_b", "state": "down", "reason": "it was stopped"},
            ],
        });
        let said = "acme 1.0 is released: it ended the daemon by SIGABRT in send\n\
                    acme 1.1 is released for channel sms_a: it hung in a call, for the second time\n\
                    sms_a runs\n\
                    sms_b is down: it was stopped";
        assert_eq!(words("acme", &released), said);
    }
}
