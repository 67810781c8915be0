//! Delivery receipts of the SMS API.

use trunkline_plugin_api::{
    ErrorClass, Event, Note, ReportedStatus, StatusReport,
    testkit::{self, Fixtures, Inbound, NOW_MS},
};

use super::{ID, KEY, Pairs, REFERENCE, US, authentic, form, get, json_body, sms, sms_kit};
use crate::{
    Vonage, errors,
    sms::{RECEIPTS, STATUSES},
};

fn receipt<'a>(status: &'a str, code: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("api-key", KEY),
        ("msisdn", "447700900001"),
        ("to", "447700900000"),
        ("network-code", "23410"),
        ("messageId", ID),
        ("price", "0.03330000"),
        ("status", status),
        ("scts", "2601010000"),
        ("err-code", code),
        ("client-ref", REFERENCE),
        ("message-timestamp", "2026-01-01 00:00:00"),
    ]
}

fn report(status: ReportedStatus, word: &str) -> StatusReport {
    StatusReport {
        external_id: ID.into(),
        address: Some(US.into()),
        reference: Some(REFERENCE.into()),
        status,
        code: Some(word.into()),
        detail: None,
        error: None,
        at_ms: Some(NOW_MS),
    }
}

#[test]
fn the_table() {
    let rows = [
        ("accepted", ReportedStatus::Sent),
        ("buffered", ReportedStatus::Sent),
        ("delivered", ReportedStatus::Delivered),
    ];
    let mut inbound = Vec::new();
    for (word, status) in rows {
        let params = receipt(word, "0");
        for request in [form(&params), get(&params), json_body(&params)] {
            let want = authentic(Event::Status(report(status, word)));
            inbound.push(Inbound {
                name: word,
                request,
                want,
            });
        }
    }
    for word in ["failed", "rejected", "expired"] {
        let want = StatusReport {
            error: Some(errors::by_code(RECEIPTS, 6)),
            ..report(ReportedStatus::Failed, word)
        };
        inbound.push(Inbound {
            name: word,
            request: form(&receipt(word, "6")),
            want: authentic(Event::Status(want)),
        });
    }
    let fixtures = Fixtures {
        inbound,
        ..Fixtures::default()
    };
    testkit::check::<Vonage>(sms(), &fixtures);
}

#[test]
fn a_word_that_says_nothing_is_kept_as_a_note() {
    for word in ["unknown", "pondering"] {
        let received = sms_kit().receive(&form(&receipt(word, "1")));
        let [Event::Note(Note { kind, data })] = received.events.as_slice() else {
            panic!("{received:?}");
        };
        assert_eq!(kind, "receipt");
        assert_eq!(data["status"], word);
        assert_eq!(data["messageId"], ID);
        assert!(data.get("sig").is_none() && data.get("api-key").is_none());
    }
}

#[test]
fn the_code_says_why() {
    use ErrorClass::{Bug, Content, OptedOut, Recipient, Throttled, Transient};
    let rows: [(&[u32], ErrorClass); 6] = [
        (&[1, 99, 4711], Bug),
        (&[2, 7, 8], Transient),
        (&[3, 4, 5, 11, 12, 13, 14, 15], Recipient),
        (&[9, 53], OptedOut),
        (&[6, 10, 50, 51, 52, 54], Content),
        (&[16], Throttled),
    ];
    for (codes, class) in rows {
        for code in codes {
            let code = code.to_string();
            let received = sms_kit().receive(&form(&receipt("failed", &code)));
            let [Event::Status(report)] = received.events.as_slice() else {
                panic!("{received:?}");
            };
            let error = report.error.as_ref().expect("a reason");
            assert_eq!(error.class, class, "{code}");
            assert_eq!(error.provider_code.as_deref(), Some(code.as_str()));
            assert!(error.message.contains(&code), "{}", error.message);
        }
    }
}

#[test]
fn a_failure_without_a_code_has_words() {
    for code in ["0", "", "none"] {
        let received = sms_kit().receive(&form(&receipt("expired", code)));
        let [Event::Status(report)] = received.events.as_slice() else {
            panic!("{received:?}");
        };
        let error = report.error.as_ref().expect("a reason");
        assert_eq!(
            (error.class, error.code.as_str()),
            (ErrorClass::Transient, "expired")
        );
    }
}

/// The least that a receipt can be.
#[test]
fn a_bare_receipt() {
    let params: Pairs<'_> = &[("messageId", ID), ("status", "delivered")];
    let want = StatusReport {
        address: None,
        reference: None,
        at_ms: None,
        ..report(ReportedStatus::Delivered, "delivered")
    };
    assert_eq!(
        sms_kit().receive(&form(params)),
        authentic(Event::Status(want))
    );
}

#[test]
fn no_code_is_in_a_table_twice() {
    for table in [RECEIPTS, STATUSES, crate::messages::CODES] {
        let mut codes: Vec<u32> = table.iter().flat_map(|row| row.codes).copied().collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }
}
