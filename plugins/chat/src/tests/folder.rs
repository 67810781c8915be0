//! The folder of fixture cases, made of what the other tests hold (`UPDATE_FIXTURES=1` writes it).

use serde_json::json;
use trunkline_plugin_api::{
    Identity, Media, MediaRef, Part, PushReply, ReceivedRef, Reply, TransportKind,
    testkit::{Channel, Folder, Tampering, message, transport},
};

use super::{VISITOR, frame};
use crate::Chat;

const SHA: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn fixtures() {
    let mut folder = Folder::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"));
    let config = json!({
        "title": "Help", "greeting": "Hello!", "allowed_origins": ["https://www.example.org"],
    });
    let mut site = folder.channel::<Chat>("site", &config);
    // The door vouches for the frame: what is in it is whatever the visitor says.
    site.tampering = Tampering::Unseen;
    frames(&mut site);
    pushes(&mut site);
    folder.finish();
}

fn frames(cases: &mut Channel<'_, Chat>) {
    let written = json!({"type": "message", "client": "c1", "text": " <b>hi</b>\n", "name": "Ada", "email": "ada@example.org"});
    cases.receive("in_text", "A visitor's text.", &frame(VISITOR, &written));
    let media = json!([{"sha256": SHA, "content_type": "image/png", "name": "a.png", "size": 12}]);
    let attached = json!({"type": "message", "client": "c2", "text": "", "media": media});
    cases.receive("in_attachment", "A file.", &frame(VISITOR, &attached));
    let read = json!({"type": "read", "messages": ["m1", "m2.1"]});
    cases.receive(
        "marks_read",
        "Read marks, one of a part.",
        &frame(VISITOR, &read),
    );
    let delivered = json!({"type": "delivered", "messages": ["m1"]});
    cases.receive(
        "marks_delivered",
        "A page has it.",
        &frame(VISITOR, &delivered),
    );
    let odd = json!({"type": "shout"});
    cases.receive(
        "unparsed_kind",
        "A frame that nobody knows.",
        &frame(VISITOR, &odd),
    );
    let foreign = json!({"type": "read", "messages": ["other:m1"]});
    cases.receive(
        "unparsed_foreign",
        "A mark on somebody else's message.",
        &frame(VISITOR, &foreign),
    );
    cases.receive(
        "refused_visitor",
        "Nobody's frame.",
        &frame("a b", &written),
    );
    let mut posted = frame(VISITOR, &written);
    posted.method = "POST".into();
    cases.receive(
        "refused_posted",
        "A frame that did not come by the door.",
        &posted,
    );
}

fn pushes(cases: &mut Channel<'_, Chat>) {
    let live = || Reply::Push(PushReply { sessions: 2 });
    let hello = message("chat", VISITOR, "hello");
    cases.send("send_live", "To two live pages.", &hello, [live()]);
    let nobody = Reply::Push(PushReply { sessions: 0 });
    cases.send(
        "send_kept",
        "Nobody is there: the page reads it later.",
        &hello,
        [nobody],
    );
    let lost = transport(TransportKind::TimeoutAfterSend);
    cases.send("send_lost", "No answer: pushed again.", &hello, [lost]);
    let mut picture = hello.clone();
    picture.content.media = vec![Media {
        source: MediaRef {
            url: Some("https://hooks.example.org/media/x".into()),
            ..MediaRef::default()
        },
        content_type: Some("image/png".into()),
        name: Some("a.png".into()),
        size: Some(7),
    }];
    picture.part = Some(Part { index: 1, count: 2 });
    cases.send(
        "send_attachment",
        "The second part, with a link.",
        &picture,
        [live()],
    );
    let empty = message("chat", VISITOR, "");
    cases.send("send_empty", "Nothing to show: no call.", &empty, []);
    let mark = |id: &str| ReceivedRef {
        external_id: id.into(),
        sender: Identity::new("chat", VISITOR),
        typing: true,
    };
    let own = mark(&format!("{VISITOR}:c7"));
    cases.mark_read(
        "mark_read",
        "Read, and an answer is being written.",
        &own,
        [live()],
    );
    cases.mark_read(
        "mark_foreign",
        "Not of this visitor: no call.",
        &mark("someone:c7"),
        [],
    );
    cases.probe("probe", "Always healthy.", []);
}
