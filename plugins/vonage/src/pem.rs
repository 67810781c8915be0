//! Reads the private key of an application, as Vonage's dashboard hands it out.

use data_encoding::BASE64;
use ring::signature::RsaKeyPair;

/// Reads an RSA key from PEM: `PRIVATE KEY` (PKCS#8) or `RSA PRIVATE KEY` (PKCS#1). Line breaks
/// written as `\n`, as environment variables often have them, count. The error never quotes the key.
pub(crate) fn read_key(text: &str) -> Result<RsaKeyPair, String> {
    let text = text.replace("\\n", "\n");
    let blocks = [
        ("PRIVATE KEY", RsaKeyPair::from_pkcs8 as fn(&[u8]) -> _),
        ("RSA PRIVATE KEY", RsaKeyPair::from_der),
    ];
    for (label, parse) in blocks {
        if let Some(base64) = block(&text, label) {
            let base64: String = base64.split_ascii_whitespace().collect();
            let der = BASE64
                .decode(base64.as_bytes())
                .map_err(|_| "private_key is not valid PEM: its base64 is damaged".to_owned())?;
            return parse(&der).map_err(|why| {
                format!(
                    "private_key is not an RSA key of 2048 to 4096 bits that can be used: {why}"
                )
            });
        }
    }
    Err(
        "private_key holds no `-----BEGIN PRIVATE KEY-----`: give the application's whole \
         private.key file"
            .into(),
    )
}

/// What is between the lines that begin and end a block.
fn block<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (inside, _) = rest.split_once(&format!("-----END {label}-----"))?;
    Some(inside)
}
