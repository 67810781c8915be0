//! Templates, preferences, and what concerns the account.

use serde_json::json;
use trunkline_plugin_api::{Consent, ConsentChange, Event, Note, TemplateUpdate};

use super::*;

#[test]
fn template_states() {
    let value = json!({
        "event": "REJECTED", "message_template_id": 594_425_479_261_596_u64,
        "message_template_name": "order_confirmation", "message_template_language": "en-US",
        "reason": "INVALID_FORMAT", "rejection_info": {"reason": "Two variables side by side"},
    });
    let want = TemplateUpdate {
        id: "594425479261596".into(),
        name: "order_confirmation".into(),
        language: Some("en-US".into()),
        status: "REJECTED".into(),
        reason: Some("INVALID_FORMAT: Two variables side by side".into()),
    };
    let event = only(&change("message_template_status_update", &value));
    assert_eq!(event, Event::Template(want));
    let approved = json!({
        "event": "APPROVED", "message_template_id": "1", "message_template_name": "a", "reason": "NONE",
    });
    let Event::Template(update) = only(&change("message_template_status_update", &approved)) else {
        panic!("a template");
    };
    assert_eq!(
        (update.reason, update.language, update.status.as_str()),
        (None, None, "APPROVED")
    );
    let odd = only(&change(
        "message_template_status_update",
        &json!({"event": "APPROVED"}),
    ));
    assert!(matches!(odd, Event::Note(_)));
}

#[test]
fn other_fields_are_notes() {
    for field in [
        "message_template_quality_update",
        "phone_number_quality_update",
        "account_update",
        "account_alerts",
        "smb_message_echoes",
        "brand_new",
    ] {
        let value = json!({"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "DISABLE"}});
        let want = Note {
            kind: field.into(),
            data: json!({"waba_id": ACCOUNT, "time": null, "value": value}),
        };
        assert_eq!(only(&change(field, &value)), Event::Note(want));
    }
}

#[test]
fn marketing_preferences_are_consent() {
    let mut value = value();
    value["user_preferences"] = json!([
        {"wa_id": "15005550101", "category": "marketing_messages", "value": "stop", "timestamp": 1_767_268_800},
        {"user_id": ADA_ID, "value": "resume", "timestamp": 1_767_268_801},
        {"wa_id": "1", "value": "ponder"},
    ]);
    let received = kit().receive(&change("user_preferences", &value));
    let consent = |id: &str, change, source: &str| {
        Event::Consent(Consent {
            identity: person(id),
            address: Some(NUMBER.into()),
            change,
            source: Some(source.into()),
        })
    };
    assert_eq!(
        received.events[..2],
        [
            consent(
                ADA,
                ConsentChange::OptOut,
                "user_preferences stop 1767268800"
            ),
            consent(
                ADA_ID,
                ConsentChange::OptIn,
                "user_preferences resume 1767268801"
            ),
        ]
    );
    assert!(matches!(received.events[2], Event::Note(_)));
}
