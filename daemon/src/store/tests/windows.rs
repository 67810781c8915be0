//! Reply windows and catalogues of templates, as they are kept.

use trunkline_plugin_api::{ErrorClass, Template, TemplateCall, TemplateUpdate};

use super::*;
use crate::model::WindowRule;

const ADA: &str = "+15550101";
const DAY: Millis = 24 * 3_600_000;

fn rule() -> WindowRule {
    WindowRule {
        scope: "us".into(),
        length_ms: DAY,
    }
}

fn ada() -> Identity {
    Identity::new("phone", ADA)
}

fn closed() -> Failure {
    Failure {
        class: ErrorClass::WindowClosed,
        code: "window_closed".into(),
        ..failure()
    }
}

impl Bench {
    /// Ada writes to one of our addresses.
    async fn hear(&self, id: &str, scope: &str, sent_at_ms: Option<Millis>) -> InboundResult {
        let mut inbound = self.inbound(vec![sms(id, ADA)]);
        let window = ReadWindow {
            scope: scope.into(),
            identities: vec![ada(), Identity::new("phone", "US.77")],
            sent_at_ms,
        };
        inbound.events[0].reading = Some(Box::new(Reading {
            window: Some(window),
            ..Reading::default()
        }));
        self.store.commit_inbound(inbound).await.unwrap()
    }

    fn is_open(&self, who: &Identity) -> bool {
        let org = self.channel.org;
        self.store.window_state(org, who, &rule()).unwrap().open
    }

    async fn keep(&self, id: MessageId, outside: Outside) -> bool {
        let org = self.channel.org;
        self.store
            .keep_inside(org, id, &rule(), outside)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn a_window_opens_for_every_identity_and_for_one_of_our_addresses() {
    let bench = bench().await;
    bench.hear("S1", "elsewhere", None).await;
    assert!(!bench.is_open(&ada()));
    bench.hear("S2", "us", Some(bench.store.now() - DAY)).await;
    assert!(!bench.is_open(&ada()), "it was written a day ago");
    bench.hear("S3", "us", Some(bench.store.now() + DAY)).await;
    assert!(bench.is_open(&ada()) && bench.is_open(&Identity::new("phone", "US.77")));
    let window = bench.store.window(bench.channel.org, &ada(), "us").unwrap();
    assert!(
        window.heard_at_ms.unwrap() <= bench.store.now(),
        "a clock ahead opens for no longer"
    );
    let before = window;
    bench.hear("S3", "us", None).await;
    let after = bench.store.window(bench.channel.org, &ada(), "us").unwrap();
    assert_eq!(before, after, "a repeated message is none");
}

#[tokio::test]
async fn held_messages_wait_in_order_and_a_person_may_decide_on_them() {
    let bench = bench().await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(bench.queued(ADA).await);
    }
    for id in &ids {
        assert!(bench.keep(*id, Outside::Hold(closed())).await);
        assert!(
            !bench.keep(*id, Outside::Hold(closed())).await,
            "held already"
        );
    }
    assert_eq!(bench.listed(OutboxState::Held), ids);
    assert!(bench.lease().await.is_empty());
    let org = bench.channel.org;
    bench
        .store
        .decide(org, ids[1], Verdict::Discard)
        .await
        .unwrap();
    let result = bench.hear("S1", "us", None).await;
    assert_eq!(
        result.answered,
        std::slice::from_ref(&bench.channel.id),
        "the outbox is told"
    );
    assert_eq!(bench.lease().await, [ids[0]]);
    bench.finish(ids[0], sent("X0")).await;
    assert_eq!(bench.lease().await, [ids[2]]);
    assert_eq!(bench.message(ids[1]).status, Status::Failed);
    assert!(
        !bench.keep(ids[3], Outside::Hold(closed())).await,
        "it is open now"
    );
}

#[tokio::test]
async fn what_is_held_ends_with_its_age() {
    let bench = bench().await;
    let id = bench.queued(ADA).await;
    bench.keep(id, Outside::Hold(closed())).await;
    let (org, channel) = (bench.channel.org, &bench.channel.id);
    assert_eq!(bench.store.expire_held(org, channel, 0).await.unwrap(), 0);
    let later = bench.store.now() + 1;
    assert_eq!(
        bench.store.expire_held(org, channel, later).await.unwrap(),
        1
    );
    assert_eq!(bench.message(id).status, Status::Failed);
    assert_eq!(bench.listed(OutboxState::Dead), [id]);
    bench.hear("S1", "us", None).await;
    assert!(bench.lease().await.is_empty(), "given up is given up");
}

#[tokio::test]
async fn a_report_on_a_refused_send_does_not_touch_the_next_one() {
    let bench = bench().await;
    let id = bench.queued(ADA).await;
    bench.lease().await;
    bench.finish(id, sent("X1")).await;
    let mut refused = report("X1", ReportedStatus::Failed);
    if let Event::Status(report) = &mut refused {
        report.error = Some(trunkline_plugin_api::AdapterError::new(
            ErrorClass::WindowClosed,
            "window_closed",
            "no",
        ));
    }
    bench.receive(vec![refused.clone()]).await;
    let (org, channel) = (bench.channel.org, &bench.channel.id);
    assert_eq!(bench.store.window_refusals(org, channel).unwrap(), [id]);
    let call = TemplateCall {
        name: "note".into(),
        ..TemplateCall::default()
    };
    let rule = rule();
    let settled = bench
        .store
        .settle_refusal(org, id, &rule, Outside::Send(call));
    settled.await.unwrap();
    assert_eq!(bench.store.window_refusals(org, channel).unwrap(), []);
    assert_eq!(bench.message(id).status, Status::Queued);
    bench.receive(vec![refused.clone()]).await;
    assert_eq!(
        bench.message(id).status,
        Status::Queued,
        "a late word on X1"
    );
    assert_eq!(bench.lease().await, [id]);
    bench.finish(id, sent("X2")).await;
    bench
        .receive(vec![refused, report("X2", ReportedStatus::Read)])
        .await;
    let message = bench.message(id);
    assert_eq!(message.status, Status::Read);
    assert_eq!(message.external_id.as_deref(), Some("X2"));
    assert_eq!(
        message.content.template.map(|call| call.name).as_deref(),
        Some("note")
    );
}

#[tokio::test]
async fn a_providers_word_changes_the_catalogue_at_once() {
    let bench = bench().await;
    let (org, channel) = (bench.channel.org, &bench.channel.id);
    let template = |status: &str| Template {
        id: "T1".into(),
        name: "note".into(),
        language: Some("en".into()),
        status: status.into(),
        ..Template::default()
    };
    let update = |id: &str, name: &str| {
        Event::Template(TemplateUpdate {
            id: id.into(),
            name: name.into(),
            language: Some("en".into()),
            status: "PAUSED".into(),
            reason: Some("quality".into()),
        })
    };
    let unknown = bench.receive(vec![update("T1", "note")]).await;
    assert!(!unknown.templates[0].is_known, "nothing is listed yet");
    assert!(bench.store.catalogue(org, channel).is_none());
    let first = bench
        .store
        .save_catalogue(org, channel, vec![template("APPROVED")]);
    assert_eq!(first.await.unwrap(), [], "the first catalogue is no news");
    let changed = bench.receive(vec![update("T1", "renamed")]).await;
    assert!(changed.templates[0].is_known);
    let status = |at: usize| {
        let catalogue = bench.store.catalogue(org, channel).unwrap();
        catalogue.entries[at].template.status.clone()
    };
    assert_eq!(status(0), "PAUSED");
    let again = bench
        .store
        .save_catalogue(org, channel, vec![template("APPROVED")]);
    assert_eq!(again.await.unwrap()[0].status, "APPROVED");
    assert_eq!(status(0), "APPROVED");
}

#[tokio::test]
async fn a_message_that_is_refused_again_goes_round_in_no_circle() {
    let bench = bench().await;
    let (org, channel) = (bench.channel.org, &bench.channel.id);
    let refused = |external_id: &str| {
        let mut refused = report(external_id, ReportedStatus::Failed);
        if let Event::Status(report) = &mut refused {
            let error = trunkline_plugin_api::AdapterError::new;
            report.error = Some(error(ErrorClass::WindowClosed, "window_closed", "no"));
        }
        refused
    };
    let id = bench.queued(ADA).await;
    bench.lease().await;
    bench.finish(id, sent("X1")).await;
    bench.hear("S1", channel.as_str(), None).await;
    bench.receive(vec![refused("X1")]).await;
    let rule = WindowRule {
        // The scope of a channel whose address was never saved.
        scope: channel.to_string(),
        ..rule()
    };
    for external_id in ["X2", "X3"] {
        let hold = Outside::Hold(closed());
        bench
            .store
            .settle_refusal(org, id, &rule, hold)
            .await
            .unwrap();
        let due = bench.lease().await;
        if bench.listed(OutboxState::Held) == [id] {
            assert!(due.is_empty());
            return;
        }
        assert_eq!(due, [id]);
        bench.finish(id, sent(external_id)).await;
        bench.receive(vec![refused(external_id)]).await;
    }
    panic!("it goes round: {:?}", bench.message(id).history);
}
