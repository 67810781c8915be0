//! What operators read when something is wrong.

use super::{TOKEN, Written};

#[test]
fn every_mistake_is_told_with_its_line() {
    let cases: &[(&str, &[&str])] = &[
        (
            "[server]\nlisten = \"127.0.0.1:8080\"\nlistn = 1\n",
            &["trunkline.toml:3: server.listn: unknown key; did you mean \"listen\"?"],
        ),
        (
            "[channels.sms]\nadapter = \"twilio\"\n",
            &["trunkline.toml:1: channels: unknown key; did you mean \"channel\"?"],
        ),
        (
            "[thread]\ncolour = 3\n",
            &["trunkline.toml:2: thread.colour: unknown key; known here are closed"],
        ),
        (
            "[server]\nlisten = \"localhost\"\npublic_url = \"example.org\"\ndrain = \"soon\"\n",
            &[
                "trunkline.toml:2: server.listen: must be an address with a port, such as \"127.0.0.1:8080\"",
                "trunkline.toml:3: server.public_url: is not an absolute URL such as \
                 \"https://hooks.example.org\": relative URL without a base",
                "trunkline.toml:4: server.drain: is not a duration such as \"500ms\", \"5m\" or \
                 \"24h\": expected number at 0",
            ],
        ),
        (
            "[server]\npublic_url = 5\nbody_bytes_max = true\npermits_per_channel = 0\n",
            &[
                "trunkline.toml:2: server.public_url: must be a string, is an integer: put it in double quotes",
                "trunkline.toml:3: server.body_bytes_max: must be an integer or a string, is true or false",
                "trunkline.toml:4: server.permits_per_channel: must be at least 1",
            ],
        ),
        (
            "[store]\ncache_bytes = \"4 parsecs\"\n[server]\nbody_bytes_max = 12\n",
            &[
                "trunkline.toml:2: store.cache_bytes: is not a size such as 65536, \"512KiB\" or \"4MiB\"",
                "trunkline.toml:4: server.body_bytes_max: must be between 1KiB and 64MiB",
            ],
        ),
        (
            "[thread]\nclosed = \"perhaps\"\n[log]\nformat = \"xml\"\nlevel = \"a=b=c\"\n",
            &[
                "trunkline.toml:2: thread.closed: must be one of \"reopen\", \"new\"",
                "trunkline.toml:4: log.format: must be one of \"pretty\", \"json\", \"journald\"",
                "trunkline.toml:5: log.level: must be a level such as \"info\", also by module",
            ],
        ),
        (
            "[coalesce]\nquiet = \"20s\"\n[outbound]\nbackoff_max = \"1s\"\n",
            &[
                "trunkline.toml:1: coalesce.max: is 10s, less than quiet (20s)",
                "trunkline.toml:4: outbound.backoff_max: is 1s, less than backoff_base (5s)",
            ],
        ),
        (
            "[admin]\nlisten = \"0.0.0.0:8080\"\n",
            &["trunkline.toml:2: admin.listen: is the address of [server] (127.0.0.1:8080) too"],
        ),
        (
            "[plugins]\npath = []\npins = { twilio = \"abc\" }\n",
            &[
                "trunkline.toml:2: plugins.path: must not be empty",
                "trunkline.toml:3: plugins.pins.twilio: must be a SHA-256 in hexadecimal: 64 \
                 digits, as sha256sum prints it",
            ],
        ),
        ("a = 1\na = 2\n", &["trunkline.toml:2: duplicate key"]),
        (
            "a = \n",
            &["trunkline.toml:1: string values must be quoted, expected literal string"],
        ),
        (
            "\n[channel.x]\nenabled = 1\n[[channel.y]]\n",
            &[
                "trunkline.toml:2: channel.x: adapter is missing",
                "trunkline.toml:3: channel.x.enabled: must be true or false, is an integer",
                "trunkline.toml:4: channel.y: must be a table, is a list",
            ],
        ),
        (
            "server = 3\n",
            &["trunkline.toml:1: server: must be a table, is an integer"],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(Written::new(text).errors(), *expected, "{text}");
    }
}

#[test]
fn channels_are_checked_key_by_key() {
    let cases = [
        ("adapter = \"\"", "2: channel.a.adapter: must not be empty"),
        (
            "organization = \"My Org\"",
            "2: channel.a.organization: an organization may hold only a-z, 0-9 and -",
        ),
        (
            "display_name = \"a\\nb\"",
            "2: channel.a.display_name: must not hold control characters",
        ),
        (
            "webhook_token = \"short\"",
            "2: channel.a.webhook_token: must have at least 32 random characters, has 5; \
             `openssl rand -hex 24` makes one",
        ),
        (
            "webhook_token = \"0123456789abcdef/0123456789abcdef\"",
            "2: channel.a.webhook_token: may hold only letters, digits, \"-\", \"_\", \".\" and \"~\"",
        ),
        (
            "webhook_token = 5",
            "2: channel.a.webhook_token: must be a string or a list, is an integer",
        ),
        (
            "webhook_token = \"\"",
            "2: channel.a.webhook_token: must not be empty",
        ),
        (
            "webhook_token = []",
            "2: channel.a.webhook_token: must not be empty",
        ),
        (
            "webhook_token = [\"0123456789abcdef0123456789abcdef\",\n\"short\"]",
            "3: channel.a.webhook_token[1]: must have at least 32 random characters, has 5; \
             `openssl rand -hex 24` makes one",
        ),
        (
            "body_bytes_max = 1",
            "2: channel.a.body_bytes_max: must be between 1KiB and 64MiB",
        ),
        (
            "coalesce = { max = \"1s\" }",
            "2: channel.a.coalesce.max: is 1s, less than quiet (2s)",
        ),
        (
            "coalesce = { qiet = \"1s\" }",
            "2: channel.a.coalesce.qiet: unknown key; did you mean \"quiet\"?",
        ),
        (
            "config = 3",
            "2: channel.a.config: must be a table, is an integer",
        ),
    ];
    for (line, expected) in cases {
        let adapter = if line.starts_with("adapter") {
            ""
        } else {
            "adapter = \"x\"\n"
        };
        let written = Written::new(&format!("[channel.a]\n{line}\n{adapter}"));
        assert_eq!(
            written.errors(),
            [format!("trunkline.toml:{expected}")],
            "{line}"
        );
    }
}

#[test]
fn ids_are_plain() {
    let long = "a".repeat(65);
    for (id, key) in [
        ("Sms", "Sms"),
        ("'a-b'", "a-b"),
        ("'a b'", "\"a b\""),
        ("''", "\"\""),
    ] {
        let written = Written::new(&format!("[channel.{id}]\nadapter = \"x\"\n"));
        let expected =
            format!("trunkline.toml:1: channel.{key}: a channel's id may hold only a-z, 0-9 and _");
        assert_eq!(written.errors(), [expected]);
    }
    let errors = Written::new(&format!("[channel.{long}]\nadapter = \"x\"\n")).errors();
    assert!(errors[0].ends_with("at most 64 characters"), "{errors:?}");
}

#[test]
fn aliases_must_be_plain_free_and_unique() {
    let cases = [
        ("sms", "must begin with a slash"),
        (
            "/a b",
            "may hold only letters, digits and -_.~:@ between its slashes",
        ),
        (
            "/a?b",
            "may hold only letters, digits and -_.~:@ between its slashes",
        ),
        (
            "/a%2fb",
            "may hold only letters, digits and -_.~:@ between its slashes",
        ),
        (
            "/",
            "must not have empty, \".\" or \"..\" steps, nor a slash at its end",
        ),
        (
            "/a/",
            "must not have empty, \".\" or \"..\" steps, nor a slash at its end",
        ),
        (
            "/a/../b",
            "must not have empty, \".\" or \"..\" steps, nor a slash at its end",
        ),
        (
            "//a",
            "must not have empty, \".\" or \"..\" steps, nor a slash at its end",
        ),
        ("/chat/a", "/chat is taken by the daemon itself"),
        ("/forms", "/forms is taken by the daemon itself"),
        ("/healthz", "/healthz is taken by the daemon itself"),
        (
            "/webhooks/b",
            "channel \"a\" can't have it: it is the address of channel \"b\"",
        ),
        (
            "/webhooks/a/in",
            "/webhooks/a/ leads to the tokens of channel \"a\"",
        ),
        (
            "/webhooks/b/in/x",
            "/webhooks/b/ leads to the tokens of channel \"b\"",
        ),
    ];
    for (path, expected) in cases {
        let written = Written::new(&format!(
            "[channel.b]\nadapter = \"x\"\n[channel.a]\nadapter = \"x\"\nwebhook_paths = [\n  \"{path}\",\n]\n"
        ));
        let expected = format!("trunkline.toml:6: channel.a.webhook_paths[0]: {expected}");
        assert_eq!(written.errors(), [expected]);
    }
    let fine = "[channel.a]\nadapter = \"x\"\nwebhook_paths = [\"/webhooks/a\", \"/webhooks/sms\", \"/api/whatsapp/inbound\", \"/webhooks/twilio/sms\"]\n";
    assert_eq!(
        Written::new(fine).valid().channels["a"].webhook_paths.len(),
        4
    );
}

#[test]
fn an_alias_of_two_channels_names_both() {
    let written = Written::new("[channel.a]\nadapter = \"x\"\nwebhook_paths = [\"/sms\"]\n").file(
        "channels.d/b.toml",
        "[channel.b]\nadapter = \"x\"\n\nwebhook_paths = [\"/other\", \"/sms\"]\n",
    );
    assert_eq!(
        written.errors(),
        [
            "channels.d/b.toml:4: channel.b.webhook_paths[1]: channel \"b\" and channel \"a\" \
          (trunkline.toml:3) both have \"/sms\""
        ]
    );
}

#[test]
fn what_works_but_should_be_looked_at_is_a_warning() {
    let written = Written::new(&format!(
        "[server]\npublic_url = \"http://a.example\"\n[admin]\nlisten = \"0.0.0.0:8081\"\n\
         [channel.a]\nadapter = \"x\"\nwebhook_paths = [\"/sms\"]\n\
         [channel.b]\nadapter = \"x\"\nwebhook_token = \"{TOKEN}\"\n\
         [organization.default.cost]\ndaily_segments = 5\n\
         [organization.acme.cost]\ndaily_segments = 5\n"
    ));
    assert_eq!(
        written.lines(&written.valid().warnings),
        [
            "trunkline.toml:2: server.public_url: is http: tokens and messages travel in the open",
            "trunkline.toml:4: admin.listen: the admin listener is reachable from other machines",
            "trunkline.toml:7: channel.a.webhook_paths[0]: an alias carries no token: the \
             provider's signature is its only proof",
            "trunkline.toml:10: channel.b.webhook_token: is a secret in plain sight: use \
             { file = ... }, { credential = ... } or { env = ... }, or seal it with `trunkline secret \
             seal`",
            "trunkline.toml:13: organization.acme: no channel belongs to this organization",
        ]
    );
}

#[test]
fn files_that_can_t_be_read_are_told() {
    let written = Written::new("").file("channels.d/a.toml", b"[channel.a]\nadapter = \"\xff\"\n");
    std::fs::create_dir(written.path("channels.d/b.toml")).unwrap();
    assert_eq!(
        written.errors(),
        [
            "channels.d/a.toml:2: is not UTF-8",
            "channels.d/b.toml:1: can't be read: is not a file"
        ]
    );
    let written = Written::new("");
    std::fs::remove_file(written.path("trunkline.toml")).unwrap();
    let errors = written.errors();
    assert!(
        errors[0].starts_with("trunkline.toml:1: can't be read: No such file"),
        "{errors:?}"
    );
}
