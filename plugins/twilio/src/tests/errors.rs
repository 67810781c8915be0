//! The error table against Twilio's error dictionary, written down once more by class.

use std::collections::BTreeSet;

use trunkline_plugin_api::ErrorClass::{
    self, Bug, Config, Content, Credentials, OptedOut, Recipient, Throttled, Transient,
    WindowClosed,
};

use crate::errors::{TABLE, by_code};

const CLASSES: &[(ErrorClass, &[u32])] = &[
    (
        Credentials,
        &[
            20003, 20005, 20006, 20008, 30002, 63001, 63020, 63022, 90010,
        ],
    ),
    (
        Config,
        &[
            20404, 21212, 21601, 21603, 21606, 21609, 21659, 21660, 21703, 21704, 21705, 30018,
            30024, 30032, 30034, 63007, 63008,
        ],
    ),
    (
        Recipient,
        &[
            21201, 21211, 21217, 21401, 21408, 21421, 21608, 21612, 21614, 21635, 30004, 30005,
            30006, 30014, 63003, 63015, 63024, 63032,
        ],
    ),
    (OptedOut, &[21610, 63014, 63033]),
    (WindowClosed, &[63016]),
    (
        Content,
        &[
            21602, 21605, 21617, 21619, 21620, 21623, 21654, 21655, 21656, 30007, 30011, 30019,
            63005, 63006, 63013, 63021, 63026, 63027, 63028, 63029, 63030, 63034, 63040, 63041,
        ],
    ),
    (
        Throttled,
        &[
            14107, 20429, 21611, 30001, 30022, 30023, 30027, 63017, 63018, 63038,
        ],
    ),
    (
        Transient,
        &[
            20500, 20503, 30003, 30008, 30017, 30410, 30450, 63009, 63010, 63012, 63019, 63023,
            63037,
        ],
    ),
    (Bug, &[0, 1, 11200, 30009, 99999, u32::MAX]),
];

#[test]
fn every_code_has_its_class() {
    for (class, codes) in CLASSES {
        for code in *codes {
            let error = by_code(*code);
            assert_eq!(error.class, *class, "{code}");
            assert_eq!(error.provider_code, Some(code.to_string()));
            assert!(
                error.message.contains(&code.to_string()),
                "{}",
                error.message
            );
        }
    }
}

/// Nothing is in the table that is not written down above, and nothing twice.
#[test]
fn the_table_has_no_more() {
    let listed = CLASSES.iter().filter(|(class, _)| *class != Bug);
    let listed: BTreeSet<u32> = listed.flat_map(|(_, codes)| *codes).copied().collect();
    let mut seen = BTreeSet::new();
    for row in TABLE {
        for code in row.codes {
            assert!(seen.insert(*code), "{code} is there twice");
            assert_eq!(by_code(*code).class, row.class, "{code}");
        }
    }
    assert_eq!(seen, listed);
}

#[test]
fn long_waits() {
    let minutes = |code: u32| by_code(code).retry_after_ms.map(|wait| wait / 60_000);
    let rows = [
        (21611, Some(10)),
        (30001, Some(10)),
        (30022, Some(1)),
        (30023, Some(360)),
        (30027, Some(360)),
        (30450, Some(30)),
        (63018, Some(1440)),
        (63038, Some(360)),
        (20429, None),
        (21211, None),
        (99999, None),
    ];
    for (code, wait) in rows {
        assert_eq!(minutes(code), wait, "{code}");
    }
}
