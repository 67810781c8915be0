//! Where log lines go and how they look, and which of them there are: changed while the daemon runs.

use std::time::Duration;

use parking_lot::Mutex;
use tracing::{Subscriber, info, warn};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::{
    EnvFilter, Layer, Registry, layer::SubscriberExt as _, registry::LookupSpan, reload,
    util::SubscriberInitExt as _,
};

use crate::config::{Log, LogFormat};

/// Under this name lines are found in the journal: `journalctl -t trunkline`.
const IDENTIFIER: &str = "trunkline";
/// What names of fields begin with in the journal.
const PREFIX: &str = "TRUNKLINE";

/// What is logged at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStatus {
    /// The filter in force.
    pub filter: String,
    /// The filter of the configuration.
    pub configured: String,
    /// How long the filter in force stays before the configured one returns; none where it stays.
    pub left: Option<Duration>,
}

struct State {
    filter: String,
    configured: String,
    until: Option<tokio::time::Instant>,
    /// Which change this is, so that an old change's end does not undo a newer one.
    change: u64,
}

/// Changes what is logged.
pub struct Logs {
    apply: Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>,
    state: Mutex<State>,
}

/// Sets the process's log up; none where that was done already.
pub(super) fn start(log: &Log) -> Option<Logs> {
    let filter = EnvFilter::try_new(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let (filter, handle) = reload::Layer::new(filter);
    let (sink, missing) = match log.format {
        LogFormat::Journald => match journal() {
            Ok(journal) => (journal, None),
            Err(error) => (pretty(), Some(error)),
        },
        LogFormat::Json => (json(), None),
        LogFormat::Pretty => (pretty(), None),
    };
    let logs = Registry::default().with(filter).with(sink);
    logs.try_init().ok()?;
    if let Some(error) = missing {
        warn!(event = "log_journal_missing", %error, "no journal listens on this machine: the log goes to standard output");
    }
    Some(Logs {
        apply: Box::new(move |filter| handle.reload(filter).map_err(|error| error.to_string())),
        state: Mutex::new(State {
            filter: log.level.clone(),
            configured: log.level.clone(),
            until: None,
            change: 0,
        }),
    })
}

type Sink<S> = Box<dyn Layer<S> + Send + Sync>;

fn pretty<S: Subscriber + for<'a> LookupSpan<'a>>() -> Sink<S> {
    Box::new(tracing_subscriber::fmt::layer().with_target(false))
}

fn json<S: Subscriber + for<'a> LookupSpan<'a>>() -> Sink<S> {
    let layer = tracing_subscriber::fmt::layer().with_target(false).json();
    Box::new(layer.flatten_event(true).with_current_span(false))
}

fn journal<S: Subscriber + for<'a> LookupSpan<'a>>() -> std::io::Result<Sink<S>> {
    let priorities = PriorityMappings {
        error: Priority::Error,
        warn: Priority::Warning,
        info: Priority::Informational,
        debug: Priority::Debug,
        trace: Priority::Debug,
    };
    let layer = tracing_journald::layer()?
        .with_syslog_identifier(IDENTIFIER.into())
        .with_field_prefix(Some(PREFIX.into()))
        .with_priority_mappings(priorities);
    Ok(Box::new(layer))
}

impl Logs {
    /// What is logged at the moment.
    pub fn status(&self) -> LogStatus {
        let state = self.state.lock();
        let now = tokio::time::Instant::now();
        LogStatus {
            filter: state.filter.clone(),
            configured: state.configured.clone(),
            left: state
                .until
                .map(|until| until.saturating_duration_since(now)),
        }
    }

    /// Changes what is logged: to `filter`, or back to what is configured where there is none; for a
    /// time, or until the next change. The error is a phrase for people. Needs a runtime where there
    /// is a time.
    pub fn set(&'static self, filter: Option<&str>, time: Option<Duration>) -> Result<(), String> {
        let change = {
            let mut state = self.state.lock();
            let wanted = filter.unwrap_or(&state.configured).to_owned();
            self.change(&mut state, wanted, time)?
        };
        if let Some(time) = time {
            tokio::spawn(async move {
                tokio::time::sleep(time).await;
                self.end(change);
            });
        }
        Ok(())
    }

    /// Takes a new configuration over; what was set for a time ends where the configured filter is
    /// another one.
    pub fn follow(&self, log: &Log) {
        let mut state = self.state.lock();
        if state.configured == log.level {
            return;
        }
        state.configured.clone_from(&log.level);
        // It was checked with the rest of the configuration.
        let _ = self.change(&mut state, log.level.clone(), None);
    }

    fn change(
        &self,
        state: &mut State,
        filter: String,
        time: Option<Duration>,
    ) -> Result<u64, String> {
        let parsed = EnvFilter::try_new(&filter).map_err(|error| {
            format!("\"{filter}\" is no filter such as \"debug\" or \"info,trunkline::outbound=debug\": {error}")
        })?;
        (self.apply)(parsed)?;
        let from = std::mem::replace(&mut state.filter, filter);
        state.until = time.map(|time| tokio::time::Instant::now() + time);
        state.change += 1;
        let for_s = time.map(|time| time.as_secs());
        info!(
            event = "log_level_changed",
            from,
            to = state.filter,
            for_s,
            "what is logged was changed"
        );
        Ok(state.change)
    }

    /// The time of a change is over.
    fn end(&self, change: u64) {
        let mut state = self.state.lock();
        if state.change == change {
            let configured = state.configured.clone();
            let _ = self.change(&mut state, configured, None);
        }
    }
}
