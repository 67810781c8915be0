//! `[server.tls]` and `[server.limits]`.

use std::time::Duration;

use super::Written;

#[test]
fn a_certificate_needs_its_key_and_both_start_from_the_folder() {
    let none = Written::new("").valid();
    assert!(!none.server.tls.is_on());
    let written = Written::new("[server.tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n");
    let tls = written.valid().server.tls;
    assert!(tls.is_on());
    assert_eq!(tls.certificate, written.path("cert.pem"));
    assert_eq!(tls.key, written.path("key.pem"));
    for (key, said) in [("certificate", "no key"), ("key", "no certificate")] {
        let written = Written::new(&format!("[server.tls]\n{key} = \"file.pem\"\n"));
        let errors = written.errors();
        assert!(
            errors.len() == 1 && errors[0].contains("server.tls: ") && errors[0].contains(said),
            "{errors:?}"
        );
    }
}

#[test]
fn https_that_nobody_speaks_is_warned_about() {
    let url = "[server]\npublic_url = \"https://a.example\"\n";
    let warned = |text: &str| {
        let written = Written::new(text);
        let warnings = written.lines(&written.valid().warnings);
        warnings
            .iter()
            .any(|line| line.contains("nothing here speaks it"))
    };
    assert!(!warned(url), "a proxy on this machine is trusted");
    assert!(warned(&format!("{url}trusted_proxies = []\n")));
    let tls = "[server.tls]\ncertificate = \"a\"\nkey = \"b\"\n";
    assert!(!warned(&format!("{url}trusted_proxies = []\n{tls}")));
}

#[test]
fn limits_may_be_small_and_have_bounds() {
    let written = Written::new("[server.limits]\nhead_timeout = \"1ms\"\nbody_rate_min = 0\n");
    let limits = written.valid().server.limits;
    assert_eq!(limits.head_timeout, Duration::from_millis(1));
    for (line, key) in [
        ("head_bytes_max = \"49KiB\"", "head_bytes_max"),
        ("target_bytes_max = 10", "target_bytes_max"),
        ("headers_max = 97", "headers_max"),
        ("connections_per_address = 0", "connections_per_address"),
        ("keep_alive = \"0s\"", "keep_alive"),
        ("body_grace = \"1m\"", "body_grace"),
    ] {
        let errors = Written::new(&format!("[server.limits]\n{line}\n")).errors();
        let place = format!("trunkline.toml:2: server.limits.{key}: ");
        assert!(
            errors.len() == 1 && errors[0].starts_with(&place),
            "{errors:?}"
        );
    }
}
