//! The command line as it is typed.

use super::*;
use clap::error::ErrorKind;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("trunkline").chain(line.split_whitespace()))
}

#[test]
fn every_verb_takes_the_configuration_after_it() {
    let verbs = [
        "run",
        "check",
        "reload",
        "demo --once",
        "channel list --json",
        "channel show x",
        "channel test x",
        "channel enable x",
        "channel disable x",
        "contact list --identifier +15550100",
        "contact show x",
        "contact timeline x --limit 10",
        "consent list --identifier +15550100 --state opted_out --json",
        "consent show +15550100 --json",
        "consent set +15550100 opt_out --channel x --reason asked",
        "consent set +15550100 opt_in --scope * --reason asked --json",
        "consent export --json",
        "thread list --all",
        "thread show x",
        "thread messages x --cursor y",
        "thread takeover x",
        "thread release x",
        "thread close x",
        "send sms +15550100 Hi",
        "send sms +15550100 - --idempotency-key k1",
        "message show x",
        "media put a.pdf --name b.pdf --type application/pdf --organization default --json",
        "media get abababababababababababababababababababababababababababababababab -o b.pdf",
        "event list --channel x",
        "event replay x --dry-run",
        "event replay --outcome unparsed --channel x --since 2026-03-01T08:00:00Z --json",
        "outbox list --state dead",
        "outbox retry x",
        "outbox discard x",
        "channel health x --since 2026-03-01T08:00:00Z",
        "notification list --old",
        "notification acknowledge x",
        "notification acknowledge --all",
        "notification acknowledge --kind dead_letter --channel x",
        "plugin list",
        "plugin inspect twilio",
        "plugin new acme --lang c --into /tmp --json",
        "plugin inspect ./libtrunkline_plugin_twilio.so --json",
        "plugin release twilio --json",
        "token create --role owner --name ci --organization default",
        "token list",
        "token revoke x",
        "completions bash",
        "man --out /tmp/pages",
    ];
    for verb in verbs {
        for flag in ["-c", "--config"] {
            let line = format!("{verb} {flag} /tmp/t.toml");
            let cli = parse(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(cli.config, Path::new("/tmp/t.toml"), "{line}");
        }
        let cli = parse(verb).unwrap_or_else(|error| panic!("{verb}: {error}"));
        assert_eq!(
            cli.config,
            Path::new("/etc/trunkline/trunkline.toml"),
            "{verb}"
        );
    }
}

#[test]
fn what_can_not_be_understood_is_a_usage_error() {
    let lines = [
        "",
        "walk",
        "channel",
        "channel show",
        "channel show a/b",
        "channel list --limit 0",
        "channel list --limit 101",
        "thread list --all --cursor x",
        "event replay",
        "event replay x --outcome unparsed",
        "event replay --outcome rejected",
        "send sms +15550100",
        "consent set +15550100 opt_out --channel x",
        "consent set +15550100 opt_out --reason asked",
        "consent list --state maybe",
        "send sms +15550100 Hi --send-at tomorrow",
        "send sms +15550100 Hi --priority urgent",
        "outbox list --state lost",
        "channel health x --since yesterday",
        "notification acknowledge",
        "notification acknowledge x --all",
        "plugin new Acme",
        "plugin new acme --lang basic",
        "token create --role king --name x",
        "token create --role owner",
        "run -c",
        "completions",
        "completions tcsh9",
        "man trunkline --out /tmp/pages",
    ];
    for line in lines {
        let error = parse(line).expect_err(line);
        assert_eq!(usage_code(&error), 64, "{line}");
    }
}

#[test]
fn help_and_version_are_no_failure() {
    for (line, kind) in [
        ("--help", ErrorKind::DisplayHelp),
        ("send --help", ErrorKind::DisplayHelp),
        ("--version", ErrorKind::DisplayVersion),
    ] {
        let error = parse(line).expect_err(line);
        assert_eq!(error.kind(), kind, "{line}");
        assert_eq!(usage_code(&error), 0, "{line}");
    }
}

#[test]
fn the_definitions_agree_with_each_other() {
    <Cli as clap::CommandFactory>::command().debug_assert();
}

/// Verbs that run something, or whose output is a format of its own (exports are JSON lines anyway).
const WITHOUT_JSON: [&str; 7] = [
    "run",
    "demo",
    "contact export",
    "secret keygen",
    "export",
    "completions",
    "man",
];

#[test]
fn every_verb_that_tells_something_tells_it_as_json_too() {
    let mut root = <Cli as clap::CommandFactory>::command();
    root.build();
    let mut lacking = Vec::new();
    leaves(&root, "", &mut |verb, command| {
        if !command
            .get_arguments()
            .any(|argument| argument.get_id() == "json")
        {
            lacking.push(verb.to_owned());
        }
    });
    assert_eq!(lacking, WITHOUT_JSON);
}

/// Calls `each` with every verb that has none below it.
fn leaves(command: &clap::Command, path: &str, each: &mut impl FnMut(&str, &clap::Command)) {
    for verb in command
        .get_subcommands()
        .filter(|verb| verb.get_name() != "help")
    {
        let path = format!("{path} {}", verb.get_name());
        if verb.has_subcommands() {
            leaves(verb, &path, each);
        } else {
            each(path.trim_start(), verb);
        }
    }
}
