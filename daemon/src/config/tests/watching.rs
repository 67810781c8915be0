//! What a channel expects to hear, and its canary.

use std::time::Duration;

use super::Written;

/// A channel with more keys, beside one of another organization.
fn written(more: &str) -> Written {
    Written::new(&format!(
        "[channel.a]\nadapter = \"x\"\n{more}\n\
         [channel.b]\nadapter = \"x\"\norganization = \"other\"\n"
    ))
}

#[test]
fn both_are_off_until_they_are_set() {
    let config = written("").valid();
    let channel = &config.channels["a"];
    assert_eq!((&channel.expect, &channel.canary), (&None, &None));
    let config = written(
        "expect = { traffic_every = \"2h\", hours = \"22-06\", zone = \"utc\" }\n\
         canary = { to = \"+1\", daily_max = 2 }",
    )
    .valid();
    let channel = &config.channels["a"];
    let expect = channel.expect.as_ref().unwrap();
    assert_eq!(expect.traffic_every, Duration::from_secs(7200));
    assert_eq!(expect.hours.len_hours(), 8);
    let canary = channel.canary.as_ref().unwrap();
    assert_eq!((canary.via.as_str(), canary.daily_max), ("a", 2));
    assert_eq!(canary.interval, Duration::from_secs(3600));
}

#[test]
fn what_can_not_work_is_told() {
    for (more, word) in [
        (
            "expect = { hours = \"08-18\" }",
            "says nothing without traffic_every",
        ),
        (
            "expect = { traffic_every = \"2h\", hours = \"8am\" }",
            "expect.hours",
        ),
        (
            "expect = { traffic_every = \"2h\", zone = \"Nowhere\" }",
            "expect.zone",
        ),
        (
            "expect = { traffic_every = \"3h\", hours = \"08-10\" }",
            "more than hours (2h)",
        ),
        ("canary = { via = \"a\" }", "says nothing without to"),
        (
            "canary = { to = \"+1\", via = \"c\" }",
            "canary.via: is not the id of a channel",
        ),
        (
            "canary = { to = \"+1\", via = \"b\" }",
            "canary.via: is a channel of another organization",
        ),
        (
            "canary = { to = \"+1\", timeout = \"2h\" }",
            "less than timeout (2h)",
        ),
        (
            "canary = { to = \"+1\", daily_max = 0 }",
            "canary.daily_max",
        ),
    ] {
        let errors = written(more).errors();
        assert!(
            errors.len() == 1 && errors[0].contains(word),
            "{more}: {errors:?}"
        );
    }
    let errors = Written::new("[health]\nsends_window = 3\n").errors();
    assert!(
        errors[0].contains("sends_min: is 5, more than sends_window (3)"),
        "{errors:?}"
    );
}
