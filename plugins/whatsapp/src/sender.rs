//! Who wrote: a number, a business-scoped user id, or both.
//!
//! Since usernames, a person may hide the number; then the message names only the business-scoped id (`CC.` and
//! letters and digits). Some payloads carry that id in `from` or `wa_id` itself (Meta: Business-scoped user IDs).

use std::collections::HashMap;

use serde_json::Value;
use trunkline_plugin_api::{Identity, Sender};

use crate::fields;

/// The identity space of people on WhatsApp.
const SPACE: &str = "whatsapp";
/// The longest id that is believed, in bytes; real ones have at most 135.
const ID_BYTES_MAX: usize = 256;

/// The `contacts` of a batch, by their ids.
pub(crate) struct People<'a> {
    by_id: HashMap<&'a str, &'a Value>,
    /// The contact, where there is but one.
    only: Option<&'a Value>,
}

impl<'a> People<'a> {
    /// The contacts of a change's `value`.
    pub(crate) fn of(value: &'a Value) -> Self {
        let mut by_id = HashMap::new();
        let mut count = 0;
        let mut only = None;
        for contact in fields::list(value, "contacts") {
            count += 1;
            only = (count == 1).then_some(contact);
            for field in ["wa_id", "user_id"] {
                if let Some(id) = fields::text(contact, field) {
                    by_id.insert(id, contact);
                }
            }
        }
        Self { by_id, only }
    }

    /// The contact that wrote a message.
    fn author(&self, message: &Value) -> Option<&'a Value> {
        let ids = ["from_user_id", "from"];
        let mut named = ids
            .into_iter()
            .filter_map(|field| fields::text(message, field));
        let nameless = named.clone().next().is_none();
        let found = named.find_map(|id| self.by_id.get(id).copied());
        found.or(self.only.filter(|_| nameless))
    }

    /// Who wrote a message: the number where there is one. None where the message names nobody.
    pub(crate) fn sender(&self, message: &Value) -> Option<Sender> {
        let contact = self.author(message);
        let of_contact = |field| contact.and_then(|contact| fields::text(contact, field));
        let given = [
            fields::text(message, "from"),
            of_contact("wa_id"),
            fields::text(message, "from_user_id"),
            of_contact("user_id"),
            fields::text(message, "from_parent_user_id"),
            of_contact("parent_user_id"),
        ];
        let profile = contact.and_then(|contact| contact.get("profile"));
        let of_profile = |field| profile.and_then(|profile| fields::text(profile, field));
        let name = of_profile("name").or_else(|| of_profile("username"));
        sender(given.into_iter().flatten(), name)
    }

    /// The username of who wrote a message.
    pub(crate) fn username(&self, message: &Value) -> Option<&'a str> {
        fields::text(self.author(message)?.get("profile")?, "username")
    }
}

/// A sender with these ids, numbers first, each one once.
pub(crate) fn sender<'a>(ids: impl Iterator<Item = &'a str>, name: Option<&str>) -> Option<Sender> {
    let mut identities: Vec<Identity> = Vec::new();
    for identity in ids.filter_map(identity) {
        if !identities.contains(&identity) {
            identities.push(identity);
        }
    }
    // Stable: what Meta names first stays first among numbers and among ids.
    identities.sort_by_key(|identity| !identity.identifier.starts_with('+'));
    let mut identities = identities.into_iter();
    Some(Sender {
        identity: identities.next()?,
        also: identities.collect(),
        name: name.map(String::from),
    })
}

/// A number in E.164 with its plus, or the id verbatim.
pub(crate) fn identity(id: &str) -> Option<Identity> {
    if id.is_empty() || id.len() > ID_BYTES_MAX {
        return None;
    }
    let digits = id.strip_prefix('+').unwrap_or(id);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    Some(if is_number {
        Identity::new(SPACE, format!("+{digits}"))
    } else {
        Identity::new(SPACE, id)
    })
}
