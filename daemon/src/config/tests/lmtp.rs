//! `[lmtp]` and `[outbound] extra_ca`.

use super::Written;
use crate::config::LmtpListen;

#[test]
fn mails_are_taken_only_from_this_machine() {
    let at = |listen: &str| Written::new(&format!("[lmtp]\nlisten = \"{listen}\"\n"));
    assert_eq!(Written::new("").valid().lmtp.listen, LmtpListen::Off);
    assert_eq!(at("off").valid().lmtp.listen, LmtpListen::Off);
    let written = at("./lmtp.sock");
    assert_eq!(
        written.valid().lmtp.listen,
        LmtpListen::Socket(written.path("./lmtp.sock"))
    );
    for address in ["127.0.0.1:2424", "[::1]:0"] {
        let listen = at(address).valid().lmtp.listen;
        assert_eq!(listen, LmtpListen::Address(address.parse().unwrap()));
    }
    for (listen, words) in [
        ("0.0.0.0:24", "loopback"),
        ("192.0.2.1:24", "loopback"),
        ("[::]:24", "loopback"),
        ("lmtp.sock", "the path of a socket"),
        ("127.0.0.1:8080", "is the address of [server]"),
    ] {
        let errors = at(listen).errors();
        assert!(
            errors.len() == 1
                && errors[0].contains("trunkline.toml:2: lmtp.listen")
                && errors[0].contains(words),
            "{errors:?}"
        );
    }
    let long = format!("/{}", "a".repeat(107));
    assert!(at(&long).errors()[0].contains("107 bytes"));
}

#[test]
fn a_file_of_certificates_starts_from_the_folder_and_none_stays_none() {
    let none = Written::new("").valid();
    assert!(none.outbound.extra_ca.as_os_str().is_empty());
    let written = Written::new("[outbound]\nextra_ca = \"ca.pem\"\n");
    assert_eq!(written.valid().outbound.extra_ca, written.path("ca.pem"));
}
