//! Does a text fit the GSM alphabet? Vonage garbles or refuses it otherwise, unless told that it is
//! Unicode (its page on concatenation and encoding).

/// The GSM default alphabet without the escape, and what an escape adds (3GPP TS 23.038).
const ALPHABET: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
                        ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà\
                        \u{c}^{}\\[~]|€";

/// True where every character is in the GSM alphabet or its extension.
pub(super) fn fits(text: &str) -> bool {
    text.chars().all(|character| ALPHABET.contains(character))
}
