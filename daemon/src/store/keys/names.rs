//! What the kinds of records are called where people see them.

/// The kinds in the words of the table at the head of [`super`].
const NAMES: &[(u8, &str)] = &[
    (b'M', "messages"),
    (b'x', "provider_ids"),
    (b't', "threads"),
    (b'c', "contacts"),
    (b'n', "identities"),
    (b'h', "threads_of_contacts"),
    (b'o', "outbox"),
    (b'q', "lines"),
    (b'g', "line_chunks"),
    (b'j', "lines_returned"),
    (b'f', "scheduled"),
    (b'd', "due"),
    (b'b', "leases"),
    (b'a', "awaiting_reports"),
    (b's', "attention"),
    (b'k', "idempotency_keys"),
    (b'w', "orphaned_reports"),
    (b'e', "webhook_events"),
    (b'r', "rejected_events"),
    (b'p', "pending_events"),
    (b'u', "turns"),
    (b'y', "switches"),
    (b'C', "consents"),
    (b'S', "senders"),
    (b'l', "organizations"),
    (b'z', "tokens"),
    (b'$', "daily_counts"),
    (b'H', "health_history"),
    (b'T', "last_traffic"),
    (b'K', "canaries"),
    (b'N', "notifications"),
    (b'G', "open_notifications"),
    (b'W', "windows"),
    (b'L', "held_for_window"),
    (b'R', "window_refusals"),
    (b'P', "templates"),
    (b'J', "template_listings"),
    (b'B', "media"),
    (b'F', "media_jobs"),
    (b'D', "format"),
    (b'A', "audit"),
    (b'E', "erasures"),
    (b'X', "restoration"),
    (b'U', "users"),
    (b'Y', "sessions"),
    (b'v', "saved"),
];

/// What a kind is called; its letter where it has no name here.
pub(crate) fn kind_name(kind: u8) -> String {
    let found = NAMES.iter().find(|(letter, _)| *letter == kind);
    found.map_or_else(
        || char::from(kind).to_string(),
        |(_, name)| (*name).to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_name() {
        let head = include_str!("../keys.rs");
        let rows = head.lines().filter_map(|line| line.strip_prefix("//! | `"));
        let letters: Vec<u8> = rows.filter_map(|row| row.bytes().next()).collect();
        assert!(letters.len() > 30);
        for letter in letters {
            let names = NAMES.iter().filter(|(known, _)| *known == letter);
            assert_eq!(names.count(), 1, "{:?}", char::from(letter));
        }
    }
}
