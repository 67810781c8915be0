//! Whatever is in the files: an answer, never a panic, and always a place.

use proptest::prelude::*;

use super::{TOKEN, Written};

/// Lines that make configurations worth trying, now and then with something else in between.
fn line() -> impl Strategy<Value = String> {
    let headers = [
        "[server]",
        "[channel.a]",
        "[channel.a.config]",
        "[channel.b]",
        "[channel]",
        "[[channel.c]]",
        "[coalesce]",
        "[plugins.pins]",
        "[channel.a.config.table]",
    ];
    let keys = [
        "listen",
        "public_url",
        "adapter",
        "webhook_token",
        "webhook_paths",
        "config",
        "quiet",
        "organization",
        "display_name",
        "body_bytes_max",
        "k",
        "env",
        "a.b.c",
        "\"\"",
        "\"a.b[0]\"",
        "'~/'.x",
    ];
    let values = [
        "\"2s\"",
        "\"x\"",
        "\"\"",
        "[\"/a\", \"/a\"]",
        "[\"/webhooks/b\"]",
        "{ env = \"E\" }",
        "{ env = \"E\", file = \"x\" }",
        "{ file = \"/\" }",
        "[{ env = 1 }, [[]]]",
        "nan",
        "-1",
        "9223372036854775807",
        "1979-05-27",
        "true",
        "{}",
        "[]",
        "\"sealed:v1:\"",
        "\"127.0.0.1:0\"",
    ];
    let key_values = (
        prop::sample::select(keys.to_vec()),
        prop::sample::select(values.to_vec()),
    );
    prop_oneof![
        8 => prop::sample::select(headers.to_vec()).prop_map(str::to_owned),
        24 => key_values.prop_map(|(key, value)| format!("{key} = {value}")),
        1 => ".{0,8}",
    ]
}

fn check(main: &[u8], variable: &str) -> Result<(), TestCaseError> {
    let written = Written::new("")
        .file("channels.d/a.toml", main)
        .env("E", TOKEN)
        .env("TRUNKLINE__CHANNEL__A__CONFIG__K", variable)
        .env(&format!("TRUNKLINE__{}", variable.replace('\0', "")), "1");
    match written.load() {
        Ok(config) => {
            config.check_adapters(&|_| None);
        }
        Err(errors) => {
            prop_assert!(!errors.0.is_empty());
            for line in written.lines(&errors.0) {
                let placed = [
                    "channels.d/a.toml:",
                    "trunkline.toml:",
                    "environment: TRUNKLINE__",
                ];
                prop_assert!(
                    placed.iter().any(|start| line.starts_with(start)),
                    "{}",
                    line
                );
                prop_assert!(!line.contains('\n'), "{}", line);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200), variable in ".{0,12}") {
        check(&bytes, &variable)?;
    }

    #[test]
    fn any_lines(lines in prop::collection::vec(line(), 0..12), variable in "[A-Z_\\[{\"]{0,12}") {
        check(lines.join("\n").as_bytes(), &variable)?;
    }

    #[test]
    fn values_reach_the_adapter_as_they_were_written(
        text in ".*", number: i64, truth: bool, ratio in -1e9..1e9_f64, key in "[^\\x00-\\x1f\\x7f]{1,9}",
    ) {
        let mut document = toml_edit::DocumentMut::new();
        document["channel"]["a"]["adapter"] = toml_edit::value("x");
        let section = &mut document["channel"]["a"]["config"];
        section["text"] = toml_edit::value(format!("-{text}"));
        section["number"] = toml_edit::value(number);
        section["truth"] = toml_edit::value(truth);
        section["ratio"] = toml_edit::value(ratio);
        section["table"][&key] = toml_edit::value(1);
        prop_assume!(!["env", "file", "credential", "sealed"].contains(&key.as_str()));
        let config = Written::new(&document.to_string()).valid();
        prop_assert_eq!(config.channels["a"].config.expose(), &serde_json::json!({
            "text": format!("-{text}"), "number": number, "truth": truth, "ratio": ratio,
            "table": { key: 1 },
        }));
    }
}

#[test]
fn deep_nesting_is_an_error_and_not_a_crash() {
    for text in [
        format!("a = {}", "[".repeat(100_000)),
        format!("{} = 1", vec!["a"; 10_000].join(".")),
        format!("[{}]", vec!["a"; 10_000].join(".")),
    ] {
        assert!(Written::new(&text).errors()[0].starts_with("trunkline.toml:1: "));
    }
    let name = format!("TRUNKLINE__{}", vec!["A"; 10_000].join("__"));
    assert!(
        Written::new("").env(&name, "1").errors()[0]
            .ends_with("must have the form TRUNKLINE__SECTION__KEY")
    );
}

#[test]
fn as_deep_as_it_can_be_written_is_fine() {
    let steps = ".a".repeat(70);
    let text = format!(
        "[channel.x]\nadapter = \"x\"\n[channel.x.config{steps}]\nb{steps} = {}{}\n",
        "[".repeat(70),
        "]".repeat(70)
    );
    let found = Written::new(&text)
        .valid()
        .check_adapters(&|_| Some(serde_json::json!({})));
    assert!(found.errors.is_empty());
}
