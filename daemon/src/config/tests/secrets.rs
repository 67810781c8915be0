//! Secrets that are kept elsewhere.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::json;

use super::{TOKEN, Written};

fn closed(written: Written, name: &str) -> Written {
    fs::set_permissions(written.path(name), fs::Permissions::from_mode(0o640)).unwrap();
    written
}

fn channel(section: &str) -> String {
    format!(
        "[channel.a]\nadapter = \"x\"\nwebhook_token = {{ env = \"TOKEN\" }}\n[channel.a.config]\n{section}\n"
    )
}

#[test]
fn secrets_come_from_where_they_are_kept() {
    let written = Written::new(&channel(
        "env = { env = \"SECRET\" }\nfile = { file = \"s\" }\ncredential = { credential = \"c\" }\n\
         list = [\"inline\", { env = \"SECRET\" }]\ntable = { deep = { key = { env = \"SECRET\" } } }\n\
         plain = { other = \"x\" }\n",
    ))
    .file("s", "line one\nline two\n\n")
    .file("c", "from systemd\r\n");
    let folder = written.folder.path().display().to_string();
    let written = closed(closed(written, "s"), "c")
        .env("SECRET", "hush")
        .env("TOKEN", TOKEN)
        .env("CREDENTIALS_DIRECTORY", &folder);
    let config = written.valid();
    let channel = &config.channels["a"];
    assert_eq!(
        *channel.config.expose(),
        json!({
            "env": "hush", "file": "line one\nline two\n", "credential": "from systemd",
            "list": ["inline", "hush"], "table": { "deep": { "key": "hush" } },
            "plain": { "other": "x" },
        })
    );
    assert!(
        channel.accepts_token(TOKEN)
            && !channel.accepts_token("")
            && !channel.accepts_token(&TOKEN[1..])
    );
    let shown = format!("{config:?}");
    assert!(
        !shown.contains("hush") && !shown.contains(TOKEN) && !shown.contains("line one"),
        "{shown}"
    );
    assert_eq!(
        written.lines(&config.warnings).len(),
        1,
        "{:?}",
        config.warnings
    );
}

#[test]
fn what_is_missing_is_told_without_showing_what_is_there() {
    let cases = [
        (
            "k = { env = \"NOT_SET\" }",
            "environment variable \"NOT_SET\" is not set (or not UTF-8)",
        ),
        (
            "k = { env = \"EMPTY\" }",
            "environment variable \"EMPTY\" is empty",
        ),
        (
            "k = { file = \"/nowhere/at/all\" }",
            "secret file \"/nowhere/at/all\": No such file or directory (os error 2)",
        ),
        (
            "k = { file = \"/dev/null\" }",
            "secret file \"/dev/null\": is not a file",
        ),
        ("k = { file = 3 }", "file must be a string"),
        (
            "k = { credential = \"c\" }",
            "credential \"c\" can't be read: systemd passes none \
          (CREDENTIALS_DIRECTORY is not set); LoadCredential= in the unit does",
        ),
        (
            "k = { env = \"TOKEN\", file = \"x\" }",
            "must have exactly one of env, file, credential, sealed",
        ),
        (
            "k = { sealed = \"sealed:v1:hush\" }",
            "is not a sealed value (sealed:v1:...): `trunkline secret seal` makes one",
        ),
        (
            "k = \"sealed:v1:12345678:12345678:hush\"",
            "was sealed with key 12345678; no key is given: set CREDENTIAL_ENCRYPTION_KEY, \
             [secrets] key or the systemd credential trunkline.key",
        ),
    ];
    for (line, expected) in cases {
        let written = Written::new(&channel(line))
            .env("TOKEN", TOKEN)
            .env("EMPTY", "");
        assert_eq!(
            written.errors(),
            [format!("trunkline.toml:5: channel.a.config.k: {expected}")]
        );
    }
}

#[test]
fn credentials_have_plain_names() {
    for name in ["../c", "a/b", "..", ""] {
        let written = Written::new(&channel(&format!("k = {{ credential = \"{name}\" }}")))
            .env("TOKEN", TOKEN)
            .env("CREDENTIALS_DIRECTORY", "/tmp");
        assert!(written.errors()[0].ends_with("is not a plain name"));
    }
}

#[test]
fn a_missing_token_is_not_also_called_short() {
    let written = Written::new(&channel(""));
    assert_eq!(
        written.errors(),
        [
            "trunkline.toml:3: channel.a.webhook_token: environment variable \"TOKEN\" is not set (or not UTF-8)"
        ]
    );
}

#[test]
fn a_later_layer_replaces_a_secret_as_a_whole() {
    let written = Written::new(&channel("k = { env = \"NOT_SET\" }"))
        .file(
            "channels.d/b.toml",
            "[channel.a.config]\nk = { file = \"s\" }\n",
        )
        .file("channels.d/s", "from the file")
        .file("s", "beside the main file")
        .env("TOKEN", TOKEN);
    let config = closed(written, "s").valid();
    assert_eq!(
        *config.channels["a"].config.expose(),
        json!({ "k": "beside the main file" })
    );

    let written = Written::new(&channel("k = { env = \"NOT_SET\" }"))
        .env("TRUNKLINE__CHANNEL__A__CONFIG__K__ENV", "OTHER")
        .env("OTHER", "hush")
        .env("TOKEN", TOKEN);
    assert_eq!(
        *written.valid().channels["a"].config.expose(),
        json!({ "k": "hush" })
    );
}

#[test]
fn files_that_anyone_can_read_are_warned_of() {
    let written = Written::new(&channel("k = { file = \"s\" }"))
        .file("s", "x")
        .env("TOKEN", TOKEN);
    fs::set_permissions(written.path("s"), fs::Permissions::from_mode(0o644)).unwrap();
    let warnings = written.lines(&written.valid().warnings);
    assert!(warnings.iter().any(|line| line == "trunkline.toml:5: channel.a.config.k: secret file \"s\" is open to everyone: chmod o= it"), "{warnings:?}");
}

#[test]
fn a_misspelt_reference_says_how_it_is_written() {
    let written =
        Written::new("[channel.a]\nadapter = \"x\"\nwebhook_token = { evn = \"TOKEN\" }\n");
    assert_eq!(
        written.errors(),
        [
            "trunkline.toml:3: channel.a.webhook_token: must be a string or a list, is a table: a \
          secret kept elsewhere is { file = ... }, { env = ... } or { credential = ... }"
        ]
    );
}

#[test]
fn a_secret_in_a_variable_is_not_in_plain_sight() {
    let main = "[channel.a]\nadapter = \"x\"\nwebhook_token = \"\"\n"
        .replace("\"\"", &format!("{TOKEN:?}"));
    let sight = |written: &Written| {
        let warnings = written.lines(&written.valid().warnings);
        warnings
            .iter()
            .filter(|line| line.contains("plain sight"))
            .count()
    };
    let written = Written::new(&main);
    assert_eq!(sight(&written), 1);
    let list = format!("[{TOKEN:?}, {TOKEN:?}]");
    for value in [TOKEN, &list] {
        let written = Written::new(&main).env("TRUNKLINE__CHANNEL__A__WEBHOOK_TOKEN", value);
        assert_eq!(sight(&written), 0);
    }
}
