//! Sealed secrets: where keys come from, what opens where, sealing anew.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::json;

use super::{TOKEN, Written};
use crate::{
    config::{Config, Environment, Resealed, SecretForm, sealing_place},
    seal::{KeyRing, MasterKey},
};

const K: &str = "channel.a.config.k";

fn key() -> (KeyRing, String) {
    let key = MasterKey::generate().unwrap();
    let text = key.expose().to_string();
    (KeyRing::new([key]), text)
}

fn channel(section: &str) -> String {
    format!("[channel.a]\nadapter = \"x\"\n[channel.a.config]\n{section}\n")
}

#[test]
fn sealed_secrets_open_wherever_secrets_may_stand() {
    let (ring, text) = key();
    let at = |place: &str, secret: &str| ring.seal(place, secret).unwrap();
    let tokens = "channel.a.webhook_token";
    let main = format!(
        "[channel.a]\nadapter = \"x\"\nwebhook_token = [{{ sealed = {:?} }}, {:?}]\n\
         [channel.a.config]\nk = {:?}\nlist = [\"inline\", {{ sealed = {:?} }}]\n\
         deep.\"a key\".sealed = {:?}\n",
        at(tokens, TOKEN),
        at(tokens, &TOKEN.replace('0', "X")),
        at(K, "one"),
        at("channel.a.config.list", "two"),
        at("channel.a.config.deep.\"a key\"", "three"),
    );
    let variable = Written::new(&main).env("CREDENTIAL_ENCRYPTION_KEY", &text);
    let file = Written::new(&format!("[secrets]\nkey = {{ file = \"key\" }}\n{main}"))
        .file("key", format!("{text}\n"));
    let several = Written::new(&format!(
        "[secrets]\nkey = [{{ env = \"NEW\" }}, {{ file = \"key\" }}]\n{main}"
    ))
    .env("NEW", &key().1)
    .file("key", &text);
    let credential = Written::new(&main).file("trunkline.key", &text);
    let folder = credential.folder.path().display().to_string();
    let credential = credential.env("CREDENTIALS_DIRECTORY", &folder);
    for written in [variable, file, several, credential] {
        let config = written.valid();
        assert_eq!(
            *config.channels["a"].config.expose(),
            json!({"k": "one", "list": ["inline", "two"], "deep": {"a key": "three"}})
        );
        assert!(config.channels["a"].accepts_token(TOKEN));
        assert!(config.channels["a"].accepts_token(&TOKEN.replace('0', "X")));
        let shown = format!("{config:?}");
        assert!(!shown.contains(TOKEN) && !shown.contains(&text), "{shown}");
        let uses = config.secrets(&|_| None);
        let sealed = uses.iter().filter(|one| one.form == SecretForm::Sealed);
        assert_eq!(sealed.count(), 5, "{uses:?}");
    }
}

#[test]
fn what_does_not_open_says_why() {
    let ((ring, text), (other, other_text)) = (key(), key());
    let sealed = ring.seal(K, "hush").unwrap();
    let line = channel(&format!("k = {sealed:?}"));
    let wrong_key = Written::new(&line).env("CREDENTIAL_ENCRYPTION_KEY", &other_text);
    let (needed, given) = (&ring.ids()[0], &other.ids()[0]);
    assert_eq!(
        wrong_key.errors(),
        [format!(
            "trunkline.toml:4: {K}: was sealed with key {needed}; given is {given}: add that key to \
             [secrets] key"
        )]
    );
    let copied = Written::new(&channel(&format!("other = {sealed:?}")));
    assert_eq!(
        copied.env("CREDENTIAL_ENCRYPTION_KEY", &text).errors(),
        [
            "trunkline.toml:4: channel.a.config.other: was sealed for another place and does not open \
             here: seal the secret anew with `trunkline secret seal channel.a.config.other`"
        ]
    );
    let cut = channel(&format!("k = {:?}", &sealed[..sealed.len() - 3]));
    let cut = Written::new(&cut).env("CREDENTIAL_ENCRYPTION_KEY", &text);
    assert_eq!(
        cut.errors(),
        [format!(
            "trunkline.toml:4: {K}: was changed or cut short since it was sealed: seal the secret anew"
        )]
    );
}

#[test]
fn keys_that_are_none_are_told_without_showing_them() {
    let none = "is not a key of 32 bytes in base64 or hexadecimal digits: `trunkline secret keygen` \
                makes one";
    let written = Written::new("").env("CREDENTIAL_ENCRYPTION_KEY", "hush");
    assert_eq!(
        written.errors(),
        [format!("environment: CREDENTIAL_ENCRYPTION_KEY: {none}")]
    );
    let cases = [
        ("key = { file = \"k\" }", "secrets.key", none),
        (
            "key = [{ env = \"NONE\" }]",
            "secrets.key[0]",
            "environment variable \"NONE\" is not set (or not UTF-8)",
        ),
        (
            "key = { sealed = \"sealed:v1:x\" }",
            "secrets.key",
            "must be kept elsewhere: { file }, { credential } or { env }",
        ),
    ];
    for (line, place, expected) in cases {
        let written = Written::new(&format!("[secrets]\n{line}\n")).file("k", "hush");
        let expected = format!("trunkline.toml:2: {place}: {expected}");
        assert!(
            written.errors().contains(&expected),
            "{:?}",
            written.errors()
        );
    }
    let plain = Written::new(&format!("[secrets]\nkey = {:?}\n", key().1));
    assert_eq!(
        plain.errors(),
        ["trunkline.toml:2: secrets.key: must be a table or a list, is a string"]
    );
}

#[test]
fn the_last_file_that_names_keys_counts_alone() {
    let (ring, text) = key();
    let sealed = ring.seal(K, "hush").unwrap();
    let main = format!(
        "[secrets]\nkey = {{ file = \"gone\" }}\n{}",
        channel(&format!("k = {sealed:?}"))
    );
    let config = Written::new(&main)
        .file("channels.d/z.toml", "[secrets]\nkey = { env = \"KEY\" }\n")
        .env("KEY", &text)
        .valid();
    assert_eq!(config.channels["a"].config.expose()["k"], "hush");
}

#[test]
fn rotation_seals_anew_and_keeps_everything_else() {
    let ((old, old_text), (_, new_text)) = (key(), key());
    let sealed = old.seal(K, "hush").unwrap();
    let listed = old.seal("channel.a.webhook_token", TOKEN).unwrap();
    let main = format!(
        "# head\n[secrets]\nkey = [{{ env = \"NEW\" }}, {{ env = \"OLD\" }}] # both\n\n\
         [channel.a]   # the first\nadapter = \"x\"\nwebhook_token = [ {{ sealed = {listed:?} }}, # old\n]\n\
         [channel.a.config]\n  k   =   {sealed:?}   # kept\nnot = \"a secret\"\n"
    );
    let written = Written::new(&main)
        .env("OLD", &old_text)
        .env("NEW", &new_text)
        .file("channels.d/b.toml", "# nothing sealed\n");
    let path = written.path("trunkline.toml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let environment: Environment = written.environment.iter().cloned().collect();
    let keys = Config::keys(&path, &environment).unwrap();
    let files = Resealed::read_all(&path, &keys).unwrap();
    let [file] = files.as_slice() else {
        panic!("{files:?}")
    };
    assert_eq!(file.anew, ["channel.a.webhook_token", K]);
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        main,
        "nothing is written yet"
    );
    file.write().unwrap();
    assert_eq!(fs::read_to_string(file.backup()).unwrap(), main);
    for path in [&path, &file.backup()] {
        assert_eq!(
            fs::metadata(path).unwrap().permissions().mode() & 0o777,
            0o640
        );
    }
    let now = fs::read_to_string(&path).unwrap();
    let mut words = main.split_whitespace().zip(now.split_whitespace());
    assert!(
        words.all(|(was, is)| was == is || was.contains("sealed:v1:")),
        "{now}"
    );
    assert_eq!(main.lines().count(), now.lines().count());
    let mut written = written;
    written.environment.retain(|(name, _)| name != "OLD");
    let written = written.env("OLD", &new_text);
    let config = written.valid();
    assert_eq!(config.channels["a"].config.expose()["k"], "hush");
    assert!(config.channels["a"].accepts_token(TOKEN));
    let again = Resealed::read_all(&path, &keys).unwrap();
    assert_eq!((again[0].anew.len(), again[0].current.len()), (0, 2));
}

#[test]
fn rotation_writes_nothing_where_one_value_does_not_open() {
    let ((old, _), (new, _)) = (key(), key());
    let sealed = old.seal(K, "hush").unwrap();
    let written = Written::new(&channel(&format!("k = {sealed:?}")));
    let refused = Resealed::read_all(&written.path("trunkline.toml"), &new).unwrap_err();
    let lines = written.lines(&refused.0);
    assert!(
        lines[0].starts_with(&format!("trunkline.toml:4: {K}: was sealed with key")),
        "{lines:?}"
    );
}

#[test]
fn a_file_that_changed_meanwhile_is_left_alone() {
    let ((old, _), (new, new_text)) = (key(), key());
    let sealed = old.seal(K, "hush").unwrap();
    let written = Written::new(&channel(&format!("k = {sealed:?}")));
    let path = written.path("trunkline.toml");
    let both = KeyRing::new([MasterKey::parse(&new_text).unwrap()]);
    assert_eq!(both.ids(), new.ids());
    let files = Resealed::read_all(&path, &old).unwrap();
    fs::write(&path, "# another\n").unwrap();
    assert!(files[0].write().is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "# another\n");
}

#[test]
fn places_are_read_as_they_are_written() {
    for (text, place, table, key) in [
        (
            "channel.a.webhook_token",
            "channel.a.webhook_token",
            "channel.a",
            "webhook_token",
        ),
        (
            "channel.a.webhook_token[1]",
            "channel.a.webhook_token",
            "channel.a",
            "webhook_token",
        ),
        (
            "channel . a.config.k",
            "channel.a.config.k",
            "channel.a.config",
            "k",
        ),
        (
            "channel.a.config.list[0].\"a b\"",
            "channel.a.config.list.\"a b\"",
            "channel.a.config.list",
            "\"a b\"",
        ),
    ] {
        let found = sealing_place(text).unwrap();
        assert_eq!(
            (
                found.place.as_str(),
                found.table.as_str(),
                found.key.as_str()
            ),
            (place, table, key)
        );
    }
    for text in [
        "",
        "channel",
        "channel.a.config",
        "server.listen",
        "channel.a.adapter",
        "a..b",
        "channel.a.config.k[",
    ] {
        assert!(sealing_place(text).is_err(), "{text}");
    }
}
