//! The cases of a WhatsApp sender, and its templates.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Content, Location, OutboundMessage, TemplateCall,
    testkit::{self, Channel, json_reply},
};

use super::{TEMPLATE, refusal, taken};
use crate::{
    Twilio,
    tests::{ACCOUNT, ADA, HOOK, Pairs, SID, message, signed},
};

pub(super) fn inbound(cases: &mut Channel<'_, Twilio>) {
    let from = ("From", "whatsapp:+15005550101");
    let to = ("To", "whatsapp:+15005550102");
    let button: Pairs<'_> = &[
        from,
        to,
        ("WaId", "15005550101"),
        ("ProfileName", "Ada ✓"),
        ("Body", "Yes"),
        ("ButtonText", "Yes"),
        ("ButtonPayload", "confirm_42"),
        ("OriginalRepliedMessageSid", "SM9"),
    ];
    cases.receive(
        "in_button",
        "A button that answers a message.",
        &signed(HOOK, &message(button)),
    );
    let place: Pairs<'_> = &[
        from,
        to,
        ("Latitude", "52.5"),
        ("Longitude", "-13.25"),
        ("Label", "Office"),
    ];
    cases.receive("in_place", "A place.", &signed(HOOK, &message(place)));
    let flow: Pairs<'_> = &[from, to, ("Body", ""), ("FlowData", r#"{"screen":"done"}"#)];
    cases.receive("in_flow", "A finished flow.", &signed(HOOK, &message(flow)));
    let hidden: Pairs<'_> = &[
        ("From", ""),
        to,
        ("ExternalUserId", "whatsapp:US.77"),
        ("Body", "Hi"),
    ];
    cases.receive(
        "in_without_number",
        "Somebody without a number.",
        &signed(HOOK, &message(hidden)),
    );
    let status = [
        ("MessageSid", SID),
        ("MessageStatus", "read"),
        ("From", "whatsapp:+15005550102"),
        ("To", "whatsapp:+15005550101"),
        ("AccountSid", ACCOUNT),
        ("EventType", "READ"),
    ];
    cases.receive("status_read", "A read mark.", &signed(HOOK, &status));
}

pub(super) fn sends(cases: &mut Channel<'_, Twilio>) {
    let place = Location {
        latitude: 52.5,
        longitude: -13.25,
        label: Some("Office".into()),
        address: None,
    };
    let mut here = testkit::message("whatsapp", ADA, "");
    here.content.location = Some(place);
    cases.send("send_place", "A place.", &here, [taken()]);
    let hello = testkit::message("whatsapp", ADA, "Hi");
    cases.send("send_text", "A text.", &hello, [taken()]);
    cases.send(
        "send_window",
        "Outside the window.",
        &hello,
        [refusal(400, 63016)],
    );
    let template = OutboundMessage {
        content: Content {
            template: Some(TemplateCall {
                name: "order".into(),
                id: Some(TEMPLATE.into()),
                variables: json!({"1": "Ada"}).as_object().cloned().unwrap_or_default(),
                ..TemplateCall::default()
            }),
            ..Content::default()
        },
        ..hello
    };
    cases.send(
        "send_template",
        "A template with a variable.",
        &template,
        [taken()],
    );
}

pub(super) fn templates(cases: &mut Channel<'_, Twilio>) {
    let content = |number: u32, status: &str| {
        json!({
            "sid": format!("HX{number:032}"), "friendly_name": "order", "language": "en",
            "variables": {"1": "Ada"}, "types": {"twilio/text": {"body": "Hi {{1}}"}},
            "approval_requests": {"status": status, "category": "UTILITY", "rejection_reason": ""},
        })
    };
    let page = |item: Value, next: Option<&str>| {
        json_reply(
            200,
            &json!({"contents": [item], "meta": {"next_page_url": next}}),
        )
    };
    let next = "https://content.twilio.com/v1/ContentAndApprovals?PageSize=100&Page=1";
    let pages = [
        page(content(1, "approved"), Some(next)),
        page(content(2, "rejected"), None),
    ];
    cases.templates("templates", "Two pages.", pages);
    let elsewhere = [page(
        content(1, "approved"),
        Some("https://evil.example.org/"),
    )];
    cases.templates(
        "templates_elsewhere",
        "The next page is somewhere else: not asked for.",
        elsewhere,
    );
}
