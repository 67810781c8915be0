//! Read marks: typing alone is shown.

use serde_json::json;
use trunkline_plugin_api::{ErrorClass, Identity, ReceivedRef, Request, testkit};

use super::{call, kit};

fn read(typing: bool) -> ReceivedRef {
    ReceivedRef {
        external_id: "5001:7".into(),
        sender: Identity::new("telegram", "5001"),
        typing,
    }
}

#[test]
fn typing_is_shown_and_nothing_else_is_called() {
    let done = testkit::json_reply(200, &json!({"ok": true, "result": true}));
    let run = kit().mark_read(&read(true), [done]);
    let parameters = json!({"chat_id": 5001, "action": "typing"});
    assert_eq!(
        run.requests,
        [Request::Http(call("sendChatAction", &parameters))]
    );
    assert_eq!(run.outcome, Ok(()));
    let run = kit().mark_read(&read(false), []);
    assert_eq!((run.requests, run.outcome), (Vec::new(), Ok(())));
    let run = kit().mark_read(&read(true), [testkit::reply(502, "")]);
    assert_eq!(
        run.outcome.expect_err("no answer").class,
        ErrorClass::Transient
    );
}
