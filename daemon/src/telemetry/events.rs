//! The one list of log events: what is logged at `info` and above, and what it means.
//!
//! Every such line has a field `event` with a name from here, which stays the same across versions,
//! so that alarms can be set on it. A test reads the sources: a line without a name, a name that is
//! not listed and one that is never logged fail it. Levels and fields of the table in `EVENTS.md`
//! come from the same reading, so they are never out of date.

#[cfg(test)]
mod source;

/// One thing worth knowing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// The value of the field `event`.
    pub name: &'static str,
    /// What it means, for operators.
    pub meaning: &'static str,
}

const fn event(name: &'static str, meaning: &'static str) -> Event {
    Event { name, meaning }
}

/// All of them, by name.
pub const EVENTS: &[Event] = &[
    event(
        "answer_not_sendable",
        "The answer to a word or command can't go out: the channel has no credentials, or the text is too long.",
    ),
    event(
        "api_backfill",
        "Somebody asked for what was missed to be fetched.",
    ),
    event(
        "api_channel_switch",
        "Somebody switched a channel on or off.",
    ),
    event(
        "api_channel_test",
        "Somebody tested a channel's connection.",
    ),
    event(
        "api_consent_recorded",
        "Somebody recorded an opt-out or opt-in; address and scope are masked.",
    ),
    event("api_contacts_merged", "Somebody merged two contacts."),
    event(
        "api_contacts_unmerged",
        "Somebody took a merge of contacts back.",
    ),
    event("api_log_level", "Somebody changed what is logged."),
    event(
        "api_notification_acknowledged",
        "Somebody took note of a notification.",
    ),
    event(
        "api_notifications_acknowledged",
        "Somebody took note of several notifications.",
    ),
    event(
        "api_reload",
        "Somebody asked for a reload, or for what it would do.",
    ),
    event(
        "api_send_decided",
        "Somebody retried or discarded a message.",
    ),
    event(
        "api_sends_decided",
        "Somebody retried or discarded many messages.",
    ),
    event(
        "api_templates_refresh",
        "Somebody had a catalogue of templates read again.",
    ),
    event(
        "api_thread_changed",
        "Somebody took a thread over, released or closed it.",
    ),
    event("api_token_made", "Somebody made an API token."),
    event("api_token_revoked", "Somebody revoked an API token."),
    event("api_webhook_replay", "Somebody replayed a webhook."),
    event(
        "backfill_done",
        "What came in while the daemon was down, or what was asked for, was fetched.",
    ),
    event(
        "backfill_postponed",
        "The provider could not list what came in; it is asked again.",
    ),
    event(
        "canary_not_read",
        "What is known of a channel's canaries could not be read.",
    ),
    event(
        "canary_not_saved",
        "What is known of a channel's canaries could not be saved.",
    ),
    event(
        "canary_returned",
        "A canary came back: the way out and in works.",
    ),
    event(
        "channel_failed",
        "A channel's actor ended, panicked or hung; it is started again after the wait.",
    ),
    event(
        "channel_given_up",
        "A channel failed too often and stays down until a reload or a switch. Look at its plugin.",
    ),
    event("channel_restarted", "A channel's actor runs again."),
    event("channel_started", "A channel's actor runs."),
    event("channel_switched", "A channel was switched on or off."),
    event(
        "clock_not_saved",
        "The time could not be saved: after a crash the downtime looks longer than it was.",
    ),
    event(
        "coalescer_lost_place",
        "Closing turns failed and begins again from its saved place.",
    ),
    event(
        "configuration_reloaded",
        "A reload is in force, with what it did.",
    ),
    event(
        "configuration_warning",
        "The configuration works, but something in it should be looked at.",
    ),
    event(
        "downtime_found",
        "The daemon was down; the provider is asked what came in meanwhile.",
    ),
    event(
        "drain_timed_out",
        "The stop took longer than `[server] drain`; what was left was cut off.",
    ),
    event(
        "form_limited",
        "More forms came than the limits of the form allow.",
    ),
    event(
        "form_not_answered",
        "A form's first answer could not be sent.",
    ),
    event(
        "form_not_stored",
        "A form could not be stored; the page said so.",
    ),
    event("form_page_failed", "A form's page could not be made."),
    event(
        "form_spam",
        "A form was filled in by a program and thrown away.",
    ),
    event(
        "health_change_not_kept",
        "A change of health could not be stored in the history.",
    ),
    event(
        "health_changed",
        "A channel's health changed; `info` where it is healthy again.",
    ),
    event(
        "health_entry_lost",
        "Health changed faster than it could be kept: an entry of the history is lost.",
    ),
    event(
        "heard_not_read",
        "When a channel last heard something could not be read.",
    ),
    event(
        "heard_not_saved",
        "When a channel last heard something could not be saved.",
    ),
    event(
        "lmtp_connection_refused",
        "A mail server's connection could not be served.",
    ),
    event(
        "lmtp_ended",
        "The LMTP listener ended; mails wait at the mail server until a restart.",
    ),
    event(
        "log_journal_missing",
        "`[log] format` is \"journald\" and no journal listens here: lines go to standard output.",
    ),
    event(
        "log_level_changed",
        "What is logged changed: by the API, by a reload, or because the time of a change was over.",
    ),
    event(
        "lookup_absent",
        "The provider surely does not have a message of unknown outcome: it is sent again.",
    ),
    event(
        "lookup_found",
        "The provider has a message of unknown outcome: it is not sent again.",
    ),
    event(
        "lookup_postponed",
        "The provider could not say whether it has a message; it is asked again.",
    ),
    event(
        "lookup_resend",
        "Nobody knows whether the provider has a message: it is sent again, as configured.",
    ),
    event(
        "media_failed",
        "An attachment could not be fetched and was given up.",
    ),
    event(
        "media_jobs_not_read",
        "The list of attachments to fetch could not be read.",
    ),
    event(
        "media_outcome_not_stored",
        "What came of fetching attachments could not be stored; they are fetched again.",
    ),
    event("media_stored", "An attachment was fetched and stored."),
    event(
        "media_unreadable",
        "A stored file could not be read: look at the disk.",
    ),
    event(
        "notice",
        "Owners were told something (`kind`); the message is what they were told. At most one line a second for each kind and channel.",
    ),
    event(
        "notices_dropped",
        "More kinds of notices came at once than can be kept; the rest were counted.",
    ),
    event(
        "notices_not_kept",
        "Notices could not be stored yet; they are tried again.",
    ),
    event(
        "outbox_not_read",
        "A channel's queue could not be read; its sends wait.",
    ),
    event(
        "outbox_not_recovered",
        "What a channel was sending when the daemon stopped could not be read.",
    ),
    event(
        "plugin_call_slow",
        "A call into a plugin took longer than `[plugins] call_budget`.",
    ),
    event(
        "plugin_refused",
        "A file in a plugin folder was not loaded, and why.",
    ),
    event(
        "plugin_said",
        "A plugin logged something; `plugin_target` is its own name for the place.",
    ),
    event(
        "poll_not_read",
        "The messages whose state should be asked for could not be read.",
    ),
    event("ready", "The daemon serves; with its addresses."),
    event(
        "rejected_webhook_not_listed",
        "A refused webhook could not be put on the list of webhooks.",
    ),
    event(
        "reload_refused",
        "A reload was refused; the old configuration keeps running. The message says what is wrong.",
    ),
    event(
        "reload_signalled",
        "SIGHUP came: the configuration is read again.",
    ),
    event(
        "reports_swept",
        "Reports on messages that never came were removed.",
    ),
    event(
        "send_failed",
        "An attempt to send failed. `class` says what it means: see the list of error classes.",
    ),
    event(
        "send_not_begun",
        "A call could not be stored, so it was not made; the message is tried again.",
    ),
    event(
        "send_outcome_not_stored",
        "What came of a send could not be stored; the next start finds out.",
    ),
    event("stopped", "The daemon has ended; everything is on disk."),
    event("stopping", "The daemon ends, because of a signal."),
    event(
        "store_checkpoint_failed",
        "The index could not be made durable; the log keeps what it needs.",
    ),
    event(
        "store_cleanup_failed",
        "Something of the store that is no longer needed could not be removed.",
    ),
    event(
        "store_commits_failed",
        "The disk refused writes: nothing of them was acknowledged. Look at the disk.",
    ),
    event("store_index_building", "How far building the index is."),
    event(
        "store_index_damaged",
        "The index is damaged and is built anew from the log.",
    ),
    event(
        "store_index_not_rebuilt",
        "The index could not be built anew; it is tried again.",
    ),
    event(
        "store_index_rebuilding",
        "The index is built anew, and why.",
    ),
    event("store_index_rebuilt", "The index was built anew."),
    event(
        "store_index_verified",
        "The index was verified after an unclean stop.",
    ),
    event(
        "store_log_damaged",
        "The log is damaged; the index stands in for it. Look at the disk.",
    ),
    event(
        "store_log_no_room",
        "Room for the log could not be set aside.",
    ),
    event(
        "store_log_not_trimmed",
        "The unused end of a log file could not be cut off.",
    ),
    event(
        "store_log_replaying",
        "How far reading the log after an unclean stop is.",
    ),
    event(
        "store_not_closed",
        "The store was not closed in order; it is checked at the next start.",
    ),
    event("store_opened", "The store is open, with what was found."),
    event(
        "store_planner_surprised",
        "A write met what its planner did not expect: a bug, or damage.",
    ),
    event("store_snapshot_failed", "No snapshot could be taken."),
    event("store_snapshot_reading", "How far reading a snapshot is."),
    event("store_snapshot_taken", "A snapshot was taken."),
    event("store_snapshot_unusable", "A snapshot can't be used."),
    event(
        "sweep_failed",
        "Something old could not be removed; it is tried again.",
    ),
    event(
        "telemetry_failed",
        "Traces can't be exported as configured; the daemon runs without.",
    ),
    event(
        "templates_refreshed",
        "A catalogue of templates was read from the provider.",
    ),
    event(
        "templates_stale",
        "A catalogue of templates could not be read; the old one is used.",
    ),
    event(
        "turns_lost",
        "Changes that turns are made of are gone; those turns are not closed.",
    ),
    event(
        "uncertain_not_read",
        "The messages of unknown outcome could not be read.",
    ),
    event("webhook_events_swept", "Old webhook events were removed."),
    event(
        "webhook_kept_pending",
        "A genuine webhook could not be threaded; it is kept and replayed.",
    ),
    event(
        "webhook_not_read",
        "A webhook could not be looked at: the channel is down or busy. The provider was asked to come back.",
    ),
    event(
        "webhook_not_stored",
        "A webhook could not be stored. The provider was asked to come back.",
    ),
    event(
        "webhook_replay_postponed",
        "A webhook that is kept could not be replayed yet.",
    ),
    event("webhook_replayed", "A webhook that was kept was replayed."),
    event(
        "window_expired",
        "Messages that waited for a reply window were given up.",
    ),
    event(
        "window_not_read",
        "A reply window could not be looked at; the message waits.",
    ),
    event(
        "window_not_settled",
        "Messages outside their reply window could not be settled.",
    ),
];
