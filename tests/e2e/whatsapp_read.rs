//! Read marks and the typing indicator on WhatsApp.

use serde_json::json;
use trunkline_simulator::{Behaviour, MetaEndpoint, ReadMark, WaMessage};

use crate::whatsapp::{ADA, deliver, stage};

#[tokio::test]
async fn a_thread_that_was_read_has_blue_ticks() {
    let stage = stage().await;
    let (api, meta) = (stage.daemon.api(), stage.simulator.meta());
    let first = WaMessage::text(ADA, "one");
    let last = WaMessage::text(ADA, "two");
    deliver(&stage, &first).await;
    deliver(&stage, &last).await;
    let shown = api.timeline(ADA).await.remove(0);
    let thread = shown["thread"].as_str().expect("a thread").to_owned();
    let of_thread = |what: &str| format!("/api/v1/threads/{thread}/{what}");
    for (what, typing) in [("read", false), ("typing", true)] {
        let marked = api.post(&of_thread(what), &json!({})).await;
        assert_eq!(marked.status, 200, "{}", marked.reply.text());
        assert_eq!(marked.json["message"], shown["id"]);
        let expected = ReadMark {
            message_id: last.id.clone(),
            typing,
        };
        assert_eq!(meta.read_marks().pop(), Some(expected));
    }
    assert_eq!(meta.read_marks().len(), 2);
    assert!(meta.problems().is_empty(), "{:?}", meta.problems());
    let history = api.message(shown["id"].as_str().expect("an id")).await["history"].clone();
    assert_eq!(history.as_array().map(Vec::len), Some(1), "{history}");

    // What is refused is told, and nothing is noted.
    meta.set_behaviour_of(
        MetaEndpoint::Read,
        Behaviour::error(400, 131_009, "Parameter value is not valid"),
    );
    deliver(&stage, &WaMessage::text(ADA, "three")).await;
    let refused = api.post(&of_thread("read"), &json!({})).await;
    assert_eq!(
        (refused.status, &refused.json["code"]),
        (502, &json!("provider")),
        "{}",
        refused.reply.text()
    );
    let third = api.timeline(ADA).await.remove(0);
    assert_eq!(third["history"], json!([]), "{third}");
}
