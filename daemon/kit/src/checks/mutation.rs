//! Webhooks and replies as an attacker, a broken proxy or a provider in trouble would send them: no
//! panic, no garbage, no hang.

use trunkline_plugin_api::{
    HttpReply, Reply, TransportError, TransportKind, Turn, WebhookRequest,
    testkit::{
        self,
        case::{CaseCall, StepsCase},
        mutation,
    },
};

use crate::{
    bench::{Bench, CaseAt},
    findings::{Findings, Trouble},
    play::play,
};

/// Changed inputs in all; of more cases each gets fewer.
const INPUTS_MAX: usize = 12_000;
/// Failures of one case that are told.
const FAILURES_OF_CASE_MAX: usize = 2;

/// Every case, changed in many ways.
pub(super) fn mutation(bench: &mut Bench, findings: &mut Findings) {
    let cases = bench.cases();
    let mut run = Run {
        share: INPUTS_MAX / cases.len().max(1),
        tried: 0,
    };
    for case in &cases {
        match &case.named.case.call {
            CaseCall::Receive(receive) => run.webhooks(
                bench,
                findings,
                case.channel,
                &case.label("receive"),
                &receive.request,
            ),
            CaseCall::Steps(steps) => {
                if let Err(trouble) = run.replies(bench, findings, case, steps) {
                    findings.trouble(trouble);
                }
            }
        }
        if findings.is_full() {
            break;
        }
    }
    if cases.is_empty() {
        // A webhook that nobody signed: it reaches the parser of what does not verify.
        let url = "https://hooks.example.org/webhooks/under_test/token";
        let webhook = testkit::post(url, "application/json", r#"{"id": "1", "text": "hello"}"#);
        for channel in bench.open_indexes() {
            run.webhooks(
                bench,
                findings,
                channel,
                "receive of a made-up webhook",
                &webhook,
            );
        }
    }
    findings.fact(format!(
        "{} changed inputs, seed {:#x}",
        run.tried,
        mutation::SEED
    ));
}

struct Run {
    share: usize,
    tried: usize,
}

impl Run {
    fn webhooks(
        &mut self,
        bench: &mut Bench,
        findings: &mut Findings,
        channel: usize,
        label: &str,
        request: &WebhookRequest,
    ) {
        let mut failed = 0;
        let changed = mutation::of_webhook(request);
        for (index, webhook) in spread(&changed, self.share) {
            self.tried += 1;
            let label = format!("{label}, change {index}");
            if let Err(trouble) = bench.receive(channel, &label, webhook) {
                findings.trouble(shown(trouble, webhook));
                failed += 1;
            }
            if failed >= FAILURES_OF_CASE_MAX || findings.is_full() {
                return;
            }
        }
    }

    fn replies(
        &mut self,
        bench: &mut Bench,
        findings: &mut Findings,
        case: &CaseAt,
        steps: &StepsCase,
    ) -> Result<(), Trouble> {
        let label = case.label(steps.op.as_str());
        let played = play(bench, case.channel, &label, steps)?;
        let mut failed = 0;
        for step in &played.steps {
            let Some(reply) = &step.turn.reply else {
                continue;
            };
            let changed = of_reply(reply);
            for (index, reply) in spread(&changed, self.share / played.steps.len()) {
                self.tried += 1;
                let turn = Turn {
                    reply: Some(reply.clone()),
                    ..step.turn.clone()
                };
                let label = format!("{label}, reply changed ({index})");
                if let Err(trouble) = bench.step(case.channel, &label, steps, &turn) {
                    findings.trouble(shown_reply(trouble, reply));
                    failed += 1;
                }
                if failed >= FAILURES_OF_CASE_MAX || findings.is_full() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// At most `count` of many, evenly.
fn spread<T>(all: &[T], count: usize) -> impl Iterator<Item = (usize, &T)> {
    let step = all.len().div_ceil(count.max(1)).max(1);
    all.iter().enumerate().step_by(step)
}

/// Replies in place of one: over the same transport, over another, none at all.
fn of_reply(reply: &Reply) -> Vec<Reply> {
    let kinds = [
        TransportKind::Dns,
        TransportKind::Connect,
        TransportKind::Tls,
        TransportKind::TimeoutBeforeSend,
        TransportKind::TimeoutAfterSend,
        TransportKind::TooLarge,
        TransportKind::Forbidden,
    ];
    let none = kinds.map(|kind| {
        Reply::Error(TransportError {
            kind,
            detail: "made up".into(),
        })
    });
    let mut changed = Vec::from(none);
    match reply {
        Reply::Http(http) => {
            changed.extend(mutation::of_reply(http).into_iter().map(Reply::Http));
            changed.push(Reply::Push(trunkline_plugin_api::PushReply { sessions: 1 }));
        }
        Reply::Smtp(smtp) => {
            changed.extend([0, 220, 354, 421, 450, 535, 550, 999].map(|code| {
                let mut other = smtp.clone();
                other.code = code;
                Reply::Smtp(other)
            }));
            changed.push(Reply::Http(HttpReply::default()));
        }
        Reply::Push(_) | Reply::Digest(_) | Reply::Error(_) => {
            changed.push(Reply::Http(HttpReply {
                status: 200,
                ..HttpReply::default()
            }));
        }
    }
    changed
}

fn shown(trouble: Trouble, request: &WebhookRequest) -> Trouble {
    let body = String::from_utf8_lossy(&request.body);
    with(
        trouble,
        &format!(
            "{} {} with the body {:?}",
            request.method,
            request.url,
            crate::diff::cut(&body)
        ),
    )
}

fn shown_reply(trouble: Trouble, reply: &Reply) -> Trouble {
    with(trouble, &format!("{reply:?}"))
}

fn with(trouble: Trouble, input: &str) -> Trouble {
    match trouble {
        Trouble::Fault(words) => {
            Trouble::Fault(format!("{words}\nthe input: {}", crate::diff::cut(input)))
        }
        other => other,
    }
}
