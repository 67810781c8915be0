//! Vonage's addresses: numbers in E.164 without their `+`, short codes, sender names.

use trunkline_plugin_api::Identity;

/// Fewer digits are a short code, which is never written with a `+`.
const NUMBER_DIGITS_MIN: usize = 7;

/// An address as we keep it: a number gets its `+`, anything else stays as it is.
pub(crate) fn normal(address: &str) -> String {
    let is_number = address.len() >= NUMBER_DIGITS_MIN
        && address.bytes().all(|byte| byte.is_ascii_digit())
        && !address.starts_with('0');
    if is_number {
        format!("+{address}")
    } else {
        address.into()
    }
}

/// An address as Vonage wants it.
pub(crate) fn wire(address: &str) -> &str {
    address.strip_prefix('+').unwrap_or(address)
}

/// The person behind an address of one of Vonage's channels: SMS, MMS, RCS and Viber go by phone
/// number, everything else has a space of its own.
pub(crate) fn identity(channel: &str, address: &str) -> Identity {
    let space = match channel {
        "sms" | "mms" | "rcs" | "viber_service" => "phone",
        other => other,
    };
    Identity::new(space, normal(address))
}
