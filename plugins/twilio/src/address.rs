//! Twilio's addresses: a number, or a number behind the `whatsapp:` prefix.

use trunkline_plugin_api::Identity;

/// What Twilio puts before a WhatsApp address.
pub(crate) const WHATSAPP: &str = "whatsapp:";

/// True for an address on WhatsApp.
pub(crate) fn is_whatsapp(address: &str) -> bool {
    address.starts_with(WHATSAPP)
}

/// The person behind an address as Twilio writes it: space `whatsapp` without the prefix, or
/// space `phone` as it stands (E.164, or a short code or sender name verbatim).
pub(crate) fn identity(address: &str) -> Identity {
    let (space, identifier) = match address.strip_prefix(WHATSAPP) {
        Some(identifier) => ("whatsapp", identifier),
        None => ("phone", address),
    };
    Identity {
        space: space.into(),
        identifier: identifier.into(),
    }
}

/// The address as Twilio wants it. `whatsapp` says that the channel itself is on WhatsApp.
pub(crate) fn wire(person: &Identity, whatsapp: bool) -> String {
    let prefixed = is_whatsapp(&person.identifier);
    if (whatsapp || person.space == "whatsapp") && !prefixed {
        format!("{WHATSAPP}{}", person.identifier)
    } else {
        person.identifier.clone()
    }
}
