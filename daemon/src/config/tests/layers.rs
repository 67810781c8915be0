//! Files and environment on top of each other.

use std::time::Duration;

use super::Written;

#[test]
fn an_empty_file_gives_the_defaults() {
    let written = Written::new("");
    let config = written.valid();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(
        config.admin.socket.to_str(),
        Some("/run/trunkline/admin.sock")
    );
    assert_eq!(config.outbound.attempts_max, 12);
    assert!(config.channels.is_empty() && config.warnings.is_empty());
}

#[test]
fn later_layers_win_key_by_key() {
    let config = Written::new(
        "[health]\ninterval = \"1m\"\ntimeout = \"3s\"\n\
         [channel.sms]\nadapter = \"twilio\"\ndisplay_name = \"main\"\n[channel.sms.config]\na = 1\nb = 1\nc = [1, 2]\n",
    )
    .file("channels.d/20.toml", "[health]\ninterval = \"2m\"\n[channel.sms.config]\nb = 20\nc = [3]\n")
    .file("channels.d/10.toml", "[channel.sms]\ndisplay_name = \"ten\"\nconfig.b = 10\nconfig.d = { e = 1 }\n")
    .file("channels.d/.hidden.toml", "nonsense")
    .file("channels.d/30.toml.bak", "nonsense")
    .env("TRUNKLINE__HEALTH__TIMEOUT", "4s")
    .env("TRUNKLINE__CHANNEL__SMS__CONFIG__D__F", "true")
    .env("TRUNKLINE_LOG", "not ours")
    .valid();
    assert_eq!(config.health.interval, Duration::from_secs(120));
    assert_eq!(config.health.timeout, Duration::from_secs(4));
    let channel = &config.channels["sms"];
    assert_eq!(channel.display_name, "ten");
    assert_eq!(
        *channel.config.expose(),
        serde_json::json!({ "a": 1, "b": 20, "c": [3], "d": { "e": 1, "f": true } })
    );
}

#[test]
fn a_channel_can_be_spread_over_files_but_has_one_adapter() {
    let first = "[channel.sms]\nadapter = \"twilio\"\n";
    let refined =
        Written::new(first).file("channels.d/a.toml", "\n[channel.sms]\nenabled = false\n");
    let config = refined.valid();
    assert!(!config.channels["sms"].enabled);
    assert_eq!(
        refined.lines(&config.warnings).len(),
        1,
        "{:?}",
        config.warnings
    );

    let twice = Written::new(first).file(
        "channels.d/a.toml",
        "\n[channel.sms]\nadapter = \"twilio\"\n",
    );
    let warnings = twice.lines(&twice.valid().warnings);
    assert!(
        warnings.iter().any(|line| line
            .starts_with("channels.d/a.toml:2: channel.sms: is defined at ")
            && line.ends_with("trunkline.toml:1 too; this one wins where both give a key")),
        "{warnings:?}"
    );

    let clash = Written::new(first).file(
        "channels.d/a.toml",
        "\n[channel.sms]\nadapter = \"vonage\"\n",
    );
    assert_eq!(
        clash.errors(),
        [
            "channels.d/a.toml:2: channel.sms: is defined at trunkline.toml:1 too, with another adapter"
        ]
    );
}

#[test]
fn variables_take_the_type_of_their_key() {
    let config =
        Written::new("[channel.sms]\nadapter = \"x\"\n[channel.sms.config]\nkept = \"1\"\n")
            .env("TRUNKLINE__SERVER__LISTEN", "127.0.0.1:0")
            .env("TRUNKLINE__SERVER__BODY_BYTES_MAX", "65536")
            .env("TRUNKLINE__STORE__CACHE_BYTES", "8MiB")
            .env("TRUNKLINE__OUTBOUND__ATTEMPTS_MAX", "3")
            .env("TRUNKLINE__PLUGINS__PATH", "/a")
            .env(
                "TRUNKLINE__PLUGINS__PINS",
                &format!("{{ x = \"{}\" }}", "a".repeat(64)),
            )
            .env("TRUNKLINE__CHANNEL__SMS__ENABLED", "false")
            .env("TRUNKLINE__CHANNEL__SMS__DISPLAY_NAME", "42")
            .env("TRUNKLINE__CHANNEL__SMS__WEBHOOK_PATHS", "[\"/a\", \"/b\"]")
            .env("TRUNKLINE__CHANNEL__SMS__COALESCE__MAX", "1m")
            .env("TRUNKLINE__CHANNEL__SMS__CONFIG__FROM", "+15550100")
            .env("TRUNKLINE__CHANNEL__SMS__CONFIG__MAX_LEN", "480")
            .env("TRUNKLINE__CHANNEL__SMS__CONFIG__KEPT", "2")
            .env("TRUNKLINE__CHANNEL__SMS__CONFIG__QUOTED", "\"3\"")
            .env("TRUNKLINE__CHANNEL__SMS__CONFIG__ZEROS", "007")
            .env("TRUNKLINE__CHANNEL__SMS__CONFIG__LIST", "[1, \"a\"]")
            .env("TRUNKLINE__CHANNEL__SMS__CONFIG__ODD", "[1, ")
            .env("TRUNKLINE__CHANNEL__SMS__CONFIG__LINES", "[1]\nx = 2")
            .valid();
    assert_eq!(config.server.listen.port(), 0);
    assert_eq!(config.server.body_bytes_max, 65536);
    assert_eq!(config.store.cache_bytes, 8 << 20);
    assert_eq!(config.outbound.attempts_max, 3);
    assert_eq!(config.plugins.path, [std::path::Path::new("/a")]);
    assert_eq!(config.plugins.pins.len(), 1);
    let channel = &config.channels["sms"];
    assert!(!channel.enabled);
    assert_eq!(channel.display_name, "42");
    assert_eq!(channel.webhook_paths, ["/a", "/b"]);
    assert_eq!(channel.coalesce.max, Duration::from_secs(60));
    assert_eq!(
        *channel.config.expose(),
        serde_json::json!({
            "from": "+15550100", "max_len": 480, "kept": "2", "quoted": "3", "zeros": "007",
            "list": [1, "a"], "odd": "[1, ", "lines": "[1]\nx = 2",
        })
    );
}

#[test]
fn variables_are_named_when_they_are_wrong() {
    let written = Written::new("")
        .env("TRUNKLINE__SERVER__LISTEN", "nowhere")
        .env("TRUNKLINE__SERVER__LISTN", "x")
        .env("TRUNKLINE__SERVER", "x")
        .env("TRUNKLINE__SERVER____DRAIN", "x")
        .env("TRUNKLINE__OUTBOUND__ATTEMPTS_MAX", "many")
        .env("TRUNKLINE__PLUGINS__PATH", "[1")
        .env("TRUNKLINE__Health__Interval", "1m")
        .env("TRUNKLINE__HEALTH__INTERVAL", "2m")
        .env("TRUNKLINE__CHANNEL__SMS__ENABLED", "yes");
    assert_eq!(
        written.errors(),
        [
            "environment: TRUNKLINE__CHANNEL__SMS__ENABLED: adapter is missing",
            "environment: TRUNKLINE__CHANNEL__SMS__ENABLED: must be true or false, is a string",
            "environment: TRUNKLINE__Health__Interval: another variable gives a part of /health/interval",
            "environment: TRUNKLINE__OUTBOUND__ATTEMPTS_MAX: must be an integer, is a string",
            "environment: TRUNKLINE__PLUGINS__PATH: is not a TOML array or inline table",
            "environment: TRUNKLINE__SERVER: must have the form TRUNKLINE__SECTION__KEY",
            "environment: TRUNKLINE__SERVER__LISTEN: must be an address with a port, such as \"127.0.0.1:8080\"",
            "environment: TRUNKLINE__SERVER__LISTN: unknown key; did you mean \"listen\"?",
            "environment: TRUNKLINE__SERVER____DRAIN: must have the form TRUNKLINE__SECTION__KEY",
        ]
    );
}

#[test]
fn a_mistake_is_one_even_where_a_later_layer_covers_it() {
    let written =
        Written::new("[server]\nlisten = 5\n").env("TRUNKLINE__SERVER__LISTEN", "127.0.0.1:0");
    assert_eq!(written.errors().len(), 1);
}

#[test]
fn relative_paths_start_from_the_file() {
    let written = Written::new(
        "[store]\npath = \"data\"\n[plugins]\npath = [\"p\", \"/q\"]\n[admin]\nsocket = \"s\"\n",
    );
    let config = written.valid();
    assert_eq!(config.store.path, written.path("data"));
    assert_eq!(config.plugins.path, [written.path("p"), "/q".into()]);
    assert_eq!(config.admin.socket, written.path("s"));
}

#[test]
fn a_channel_has_a_place() {
    let written = Written::new("\n[channel.a.config]\nx = 1\n[channel.a]\nadapter = \"x\"\n")
        .file("channels.d/a.toml", "[channel.a]\nenabled = true\n")
        .env("TRUNKLINE__CHANNEL__B__ADAPTER", "x");
    let config = written.valid();
    assert_eq!(
        config.place("a").to_string(),
        format!("{}:4", written.path("trunkline.toml").display())
    );
    assert_eq!(
        config.place("b").to_string(),
        "environment: TRUNKLINE__CHANNEL__B__ADAPTER"
    );
}
