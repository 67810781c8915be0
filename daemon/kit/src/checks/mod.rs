//! The checks in the order of their run. Each is a function that looks at the bench and says what it
//! found.

mod canary;
mod cases;
mod determinism;
mod file;
mod limits;
mod manifest;
mod misuse;
mod mutation;
mod restart;
mod schema;
mod tampering;

use std::time::Instant;

pub(crate) use limits::cursor_bytes_max;

use crate::{
    bench::Bench,
    findings::{Findings, Trouble},
    report::CheckReport,
};

/// What a check needs before it can be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Needs {
    /// The bytes of the file, whatever they are.
    Nothing,
    /// A manifest that can be read.
    Manifest,
    /// A channel that opens.
    Channel,
    /// Cases on it.
    Cases,
}

struct Check {
    id: &'static str,
    title: &'static str,
    needs: Needs,
    run: fn(&mut Bench, &mut Findings),
}

const CHECKS: [Check; 21] = [
    check(
        "file",
        "A whole shared library for this machine",
        Needs::Nothing,
        file::file,
    ),
    check(
        "abi",
        "The note is sound, and says what the manifest says",
        Needs::Nothing,
        file::abi,
    ),
    check(
        "exports",
        "Exports tl_adapter_entry_v1",
        Needs::Nothing,
        file::exports,
    ),
    check(
        "libraries",
        "Needs only libraries that are everywhere",
        Needs::Nothing,
        file::libraries,
    ),
    check(
        "glibc",
        "Runs with the oldest supported glibc",
        Needs::Nothing,
        file::glibc,
    ),
    check(
        "hardening",
        "Stack not executable, code not writable",
        Needs::Nothing,
        file::hardening,
    ),
    check(
        "load",
        "Loads in a process of its own, sealed in",
        Needs::Nothing,
        manifest::load,
    ),
    check(
        "manifest",
        "The manifest can be read and makes sense",
        Needs::Nothing,
        manifest::manifest,
    ),
    check(
        "schema",
        "The schema says what a configuration may be",
        Needs::Manifest,
        schema::schema,
    ),
    check(
        "open",
        "Channels open with the fixtures' configurations",
        Needs::Manifest,
        cases::open,
    ),
    check(
        "fixtures",
        "Every case comes out exactly as written",
        Needs::Cases,
        cases::fixtures,
    ),
    check(
        "determinism",
        "The same input gives the same bytes, in any process",
        Needs::Cases,
        determinism::determinism,
    ),
    check(
        "concurrency",
        "Calls on eight threads agree with calls alone",
        Needs::Cases,
        determinism::concurrency,
    ),
    check(
        "restart",
        "A restart between request and reply sends nothing twice",
        Needs::Cases,
        restart::restart,
    ),
    check(
        "tampering",
        "A changed webhook is refused, or means the same",
        Needs::Cases,
        tampering::tampering,
    ),
    check(
        "mutation",
        "Broken webhooks and replies are answered in order",
        Needs::Channel,
        mutation::mutation,
    ),
    check(
        "misuse",
        "Calls that are wrong are refused by their codes",
        Needs::Channel,
        misuse::misuse,
    ),
    check(
        "struct_size",
        "A larger tl_host is taken, a smaller one refused",
        Needs::Channel,
        misuse::struct_size,
    ),
    check(
        "limits",
        "Answers are small and soon, for large webhooks too",
        Needs::Channel,
        limits::limits,
    ),
    check(
        "purity",
        "Nothing but computing: no file, socket, process, thread",
        Needs::Nothing,
        canary::purity,
    ),
    check(
        "canary",
        "No secret in results, errors, cursors, headers or logs",
        Needs::Channel,
        canary::canary,
    ),
];

const fn check(
    id: &'static str,
    title: &'static str,
    needs: Needs,
    run: fn(&mut Bench, &mut Findings),
) -> Check {
    Check {
        id,
        title,
        needs,
        run,
    }
}

/// Runs all of them.
pub(crate) fn run(bench: &mut Bench) -> Vec<CheckReport> {
    CHECKS.iter().map(|check| check.report(bench)).collect()
}

impl Check {
    fn report(&self, bench: &mut Bench) -> CheckReport {
        let begun = Instant::now();
        let mut findings = Findings::default();
        match self.needs.missing(bench) {
            Some(why) => findings.skip(why),
            None => (self.run)(bench, &mut findings),
        }
        let (outcome, reason) = findings.outcome();
        CheckReport {
            id: self.id,
            title: self.title,
            outcome,
            reason,
            failures: findings.failures,
            warnings: findings.warnings,
            facts: findings.facts,
            millis: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl Needs {
    /// Why a check can't be tried.
    fn missing(self, bench: &Bench) -> Option<String> {
        if self >= Self::Manifest
            && let Err(trouble) = &bench.manifest
        {
            let at = match trouble {
                Trouble::Elsewhere(id) => id,
                Trouble::Fault(_) | Trouble::GivenUp(_) => "manifest",
            };
            return Some(format!("there is no manifest: see {at}"));
        }
        if self >= Self::Channel && bench.open_indexes().is_empty() {
            return Some(if bench.channels.is_empty() {
                "no fixtures, and an empty configuration opens no channel".into()
            } else {
                "no channel opens: see open".into()
            });
        }
        if self >= Self::Cases && bench.cases().is_empty() {
            return Some("no fixtures".into());
        }
        None
    }
}
