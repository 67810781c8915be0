//! The command line: one file per verb.
//!
//! ```text
//! main ─> parse (clap) ─┬─> run, check, demo, man    this process does the work
//!                       └─> every other verb ─> admin (HTTP on the daemon's socket)
//!                                                 └─> table, detail or --json ─> stdout
//! ```
//!
//! The store is locked by the daemon, so what reads or changes data asks the daemon. Results go
//! to standard output, everything said about them to standard error. Exit codes: 0, 1 failure,
//! 64 usage, 78 configuration.

mod admin;
mod audit;
mod backup;
mod channel;
mod check;
mod completions;
mod consent;
mod contact;
mod demo;
mod detail;
mod doctor;
mod erase;
mod event;
mod export;
mod failure;
mod import;
mod list;
mod log;
mod man;
mod media;
mod message;
mod notification;
mod outbox;
mod output;
mod plugin;
mod preview;
mod problem;
mod progress;
mod reload;
mod restore;
mod retention;
mod run;
mod secret;
mod send;
mod simulator;
mod socket;
mod store;
mod table;
mod template;
mod thread;
mod token;
mod top;
mod user;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use self::{
    admin::Admin,
    failure::{Failure, USAGE},
};

/// A self-hosted messaging gateway: receives, keeps, threads, answers.
#[derive(Debug, Parser)]
#[command(name = "trunkline", version, propagate_version = true)]
pub struct Cli {
    /// The configuration file; `channels.d` is the folder of that name beside it.
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        default_value = "/etc/trunkline/trunkline.toml"
    )]
    config: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs the daemon in the foreground.
    Run,
    /// Checks the configuration; says what it would start.
    Check(check::Check),
    /// Has the daemon read its configuration anew; waits for the outcome.
    Reload(reload::Reload),
    /// Shows the gateway at work: a daemon in a temporary folder, simulated providers, signed traffic.
    Demo(demo::Demo),
    /// Plays the providers on this machine, to try an installation or a plugin offline.
    Simulator(simulator::Simulator),
    /// Channels: list, show, test the connection, history of health, switch on and off, fetch what was
    /// missed, a link to write to it.
    #[command(subcommand)]
    Channel(channel::Channel),
    /// Says what is wrong with a channel and what to do: refused webhooks, files, clock, plugin, disk.
    Doctor(doctor::Doctor),
    /// Contacts and all that was said with them.
    #[command(subcommand)]
    Contact(contact::Contact),
    /// Opt-outs and opt-ins with their proofs: list, show, record, export.
    #[command(subcommand)]
    Consent(consent::Consent),
    /// Conversations: read them, take them over, close them.
    #[command(subcommand)]
    Thread(thread::Thread),
    /// Sends a message.
    Send(send::Send),
    /// Messages: content, status and history.
    #[command(subcommand)]
    Message(message::Message),
    /// Files: puts one in to be sent, gets one out.
    #[command(subcommand)]
    Media(media::Media),
    /// Webhooks that came in; replays one.
    #[command(subcommand)]
    Event(event::Event),
    /// Messages that wait to be sent, or were given up.
    #[command(subcommand)]
    Outbox(outbox::Outbox),
    /// What owners were told: list, acknowledge.
    #[command(subcommand)]
    Notification(notification::Notification),
    /// Message templates: list, show, have the provider asked.
    #[command(subcommand)]
    Template(template::Template),
    /// Plugins that the daemon found.
    #[command(subcommand)]
    Plugin(plugin::Plugin),
    /// The gateway live: channels with their rates, queues and errors, and the store.
    Top(top::Top),
    /// What the daemon logs, changed while it runs.
    #[command(subcommand)]
    Log(log::Log),
    /// Tokens for the API.
    #[command(subcommand)]
    Token(token::Token),
    /// People who sign in: create, list, change, remove.
    #[command(subcommand)]
    User(user::User),
    /// Secrets in the configuration: make a key, seal them, seal them anew under another key, list them.
    #[command(subcommand)]
    Secret(secret::Secret),
    /// Writes everything into one file, while the daemon works or while it is stopped; checks such a file.
    Backup(backup::Backup),
    /// Makes a store of a backup, while no daemon runs. The store that is there is kept.
    Restore(restore::Restore),
    /// Who changed what: list, and prove that nobody has tampered with it.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Removes now what is older than it is kept; or says what that is.
    Retention(retention::Retention),
    /// Writes everything as JSON lines: people, conversations, messages, consent, files.
    Export(export::Export),
    /// Takes such lines in: nothing that is here is changed, nothing is sent.
    Import(import::Import),
    /// The store: what it is; compact it; verify, migrate or repair it while no daemon runs.
    #[command(subcommand)]
    Store(store::Store),
    /// Prints what a shell needs to complete this command line.
    Completions(completions::Completions),
    /// Prints the manual pages.
    Man(man::Man),
}

/// Parses the process's arguments and does what they say.
pub fn main() -> ExitCode {
    // Fails only where one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match Cli::try_parse() {
        Ok(cli) => cli.perform(),
        Err(error) => misused(&error),
    }
}

impl Cli {
    /// Does what was asked for; failures are on standard error when this returns.
    pub fn perform(self) -> ExitCode {
        let outcome = match self.verb {
            Verb::Run => return run::run(&self.config),
            Verb::Check(check) => check.perform(&self.config),
            Verb::Plugin(plugin) if !plugin.asks_daemon() => plugin.perform_alone(),
            Verb::Store(store) if !store.asks_daemon() => store.perform(&self.config),
            Verb::Secret(secret) => secret.perform(&self.config),
            Verb::Backup(backup) => backup.perform(&self.config),
            Verb::Restore(restore) => restore.perform(&self.config),
            Verb::Demo(demo) => block_on(demo.perform()),
            Verb::Completions(completions) => completions.perform(),
            Verb::Man(man) => man.perform(),
            Verb::Simulator(simulator) => block_on(simulator.perform()),
            verb => block_on(verb.ask(&self.config)),
        };
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failure.report(),
        }
    }
}

impl Verb {
    /// The verbs that the daemon answers.
    async fn ask(self, config: &Path) -> Result<(), Failure> {
        let admin = Admin::new(socket::path(config)?)?;
        match self {
            Self::Reload(verb) => verb.perform(&admin).await,
            Self::Channel(verb) => verb.perform(&admin).await,
            Self::Doctor(verb) => verb.perform(&admin, config).await,
            Self::Contact(verb) => verb.perform(&admin).await,
            Self::Consent(verb) => verb.perform(&admin).await,
            Self::Thread(verb) => verb.perform(&admin).await,
            Self::Send(verb) => verb.perform(&admin).await,
            Self::Message(verb) => verb.perform(&admin).await,
            Self::Media(verb) => verb.perform(&admin).await,
            Self::Event(verb) => verb.perform(&admin).await,
            Self::Outbox(verb) => verb.perform(&admin).await,
            Self::Notification(verb) => verb.perform(&admin).await,
            Self::Template(verb) => verb.perform(&admin).await,
            Self::Plugin(verb) => verb.perform(&admin).await,
            Self::Top(verb) => verb.perform(&admin).await,
            Self::Log(verb) => verb.perform(&admin).await,
            Self::Token(verb) => verb.perform(&admin).await,
            Self::User(verb) => verb.perform(&admin).await,
            Self::Audit(verb) => verb.perform(&admin).await,
            Self::Retention(verb) => verb.perform(&admin).await,
            Self::Store(verb) => verb.ask(&admin).await,
            Self::Export(verb) => verb.perform(&admin).await,
            Self::Import(verb) => verb.perform(&admin).await,
            Self::Run
            | Self::Check(_)
            | Self::Demo(_)
            | Self::Completions(_)
            | Self::Man(_)
            | Self::Secret(_)
            | Self::Backup(_)
            | Self::Restore(_)
            | Self::Simulator(_) => Ok(()),
        }
    }
}

fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Failure::said(format!("can't start: {error}")))?;
    runtime.block_on(work)
}

/// Prints what clap has to say.
fn misused(error: &clap::Error) -> ExitCode {
    // Nothing can be said where the terminal is gone.
    let _ = error.print();
    ExitCode::from(usage_code(error))
}

/// The exit code for what clap has to say: help and version are no failure.
fn usage_code(error: &clap::Error) -> u8 {
    if error.use_stderr() { USAGE } else { 0 }
}

#[cfg(test)]
mod tests;
