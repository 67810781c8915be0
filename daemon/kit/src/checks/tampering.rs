//! Signed webhooks, changed: each is refused, or means the same as before.

use trunkline_plugin_api::{
    Front, Received, WebhookRequest,
    testkit::{
        Tampering,
        case::{CaseCall, ReceiveCase},
        mutation,
    },
};

use crate::{
    bench::{Bench, CaseAt},
    findings::{Findings, Trouble},
};

/// Every genuine case.
pub(super) fn tampering(bench: &mut Bench, findings: &mut Findings) {
    let (mut signed, mut changes) = (0, 0);
    for case in bench.cases() {
        if let CaseCall::Receive(receive) = &case.named.case.call
            && is_signed(receive)
        {
            signed += 1;
            match tamper(bench, &case, receive, findings) {
                Ok(count) => changes += count,
                Err(trouble) => findings.trouble(trouble),
            }
        }
        if findings.is_full() {
            break;
        }
    }
    if signed == 0 {
        return findings.skip("no case has a signature over its body");
    }
    findings.fact(format!("{changes} changes of {signed} webhooks"));
}

fn is_signed(case: &ReceiveCase) -> bool {
    let is_front = [Front::Chat, Front::Mail]
        .iter()
        .any(|front| front.method() == case.request.method);
    let genuine = case.want.verdict.is_authentic() && case.want.unparsed.is_none();
    genuine && case.tampering == Tampering::Refused && !is_front
}

fn tamper(
    bench: &mut Bench,
    case: &CaseAt,
    receive: &ReceiveCase,
    findings: &mut Findings,
) -> Result<usize, Trouble> {
    let label = case.label("receive");
    let genuine = bench.receive(case.channel, &label, &receive.request)?;
    let mut changed = mutation::of_body(&receive.request);
    for index in signature_headers(bench, case, &receive.request)? {
        changed.extend(mutation::of_header(&receive.request, index));
    }
    for changed in &changed {
        let received = bench.receive(case.channel, &format!("{label}, changed"), changed)?;
        if !is_harmless(&received, &genuine) {
            findings.fail(format!(
                "{label}: {} was taken as genuine: verify the signature over the whole body before anything \
                 else; where the provider signs nothing, write \"tampering\": \"unseen\" in the case",
                what(&receive.request, changed)
            ));
            break;
        }
    }
    Ok(changed.len())
}

fn is_harmless(received: &Received, genuine: &Received) -> bool {
    !received.verdict.is_authentic() || received == genuine
}

/// The headers without which the webhook is refused.
fn signature_headers(
    bench: &mut Bench,
    case: &CaseAt,
    request: &WebhookRequest,
) -> Result<Vec<usize>, Trouble> {
    let mut found = Vec::new();
    for index in 0..request.headers.len() {
        let mut without = request.clone();
        let (name, _) = without.headers.remove(index);
        let label = case.label(&format!("receive without {name}"));
        if !bench
            .receive(case.channel, &label, &without)?
            .verdict
            .is_authentic()
        {
            found.push(index);
        }
    }
    Ok(found)
}

fn what(request: &WebhookRequest, changed: &WebhookRequest) -> String {
    if changed.body != request.body {
        let text = String::from_utf8_lossy(&changed.body).into_owned();
        return format!("a changed body ({:?})", crate::diff::cut(&text));
    }
    let differs = request
        .headers
        .iter()
        .zip(&changed.headers)
        .find(|(one, other)| one != other);
    let name = differs.map_or("?", |((name, _), _)| name);
    format!("a changed header {name}")
}
