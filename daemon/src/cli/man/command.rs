//! Pages of the verbs, section 1: clap's own rendering, with what it can't know around it.

use clap::Command;
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use super::Page;

const SECTION: &str = "1";

/// What the page of the program itself says beyond its verbs.
const FILES: [(&str, &str); 6] = [
    (
        "/etc/trunkline/trunkline.toml",
        "The configuration; see trunkline.toml(5).",
    ),
    (
        "/etc/trunkline/channels.d/*.toml",
        "Further files of it, one for each channel.",
    ),
    (
        "/etc/trunkline/secrets/",
        "Where files with secrets are kept, readable by the daemon's group alone.",
    ),
    (
        "/var/lib/trunkline/",
        "Everything that the daemon keeps: commit log, index, snapshots, attachments.",
    ),
    (
        "/run/trunkline/admin.sock",
        "The socket by which verbs ask the daemon; who may open it needs no token.",
    ),
    (
        "/usr/share/doc/trunkline/",
        "The reference of all keys, examples, and what to do after the installation.",
    ),
];

const EXIT: [(&str, &str); 4] = [
    ("0", "Done."),
    ("1", "Failed; standard error says why."),
    ("64", "The command line can't be understood."),
    (
        "78",
        "The configuration can't be used; each line on standard error begins with file and line.",
    ),
];

/// Appends the page of a built command and those of its verbs.
pub(super) fn pages(command: &Command, pages: &mut Vec<Page>) {
    pages.push(page(command));
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        self::pages(verb, pages);
    }
}

fn page(command: &Command) -> Page {
    let name = display(command).to_owned();
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .section(SECTION)
        .source(concat!("Trunkline ", env!("CARGO_PKG_VERSION")))
        .manual("Trunkline");
    let mut text = Vec::new();
    let rendered = man.render_title(&mut text).and_then(|()| {
        name_section(command).to_writer(&mut text)?;
        man.render_synopsis_section(&mut text)?;
        man.render_description_section(&mut text)?;
        man.render_options_section(&mut text)?;
        if command.has_subcommands() {
            man.render_subcommands_section(&mut text)?;
        }
        closing(command).to_writer(&mut text)
    });
    rendered.expect("writing to memory does not fail");
    Page {
        name,
        section: SECTION,
        text: String::from_utf8_lossy(&text).into_owned(),
    }
}

fn display(command: &Command) -> &str {
    command
        .get_display_name()
        .unwrap_or_else(|| command.get_name())
}

/// Name and first sentence on one line, as indexers of manuals want it.
fn name_section(command: &Command) -> Roff {
    let about = command.get_about().map(ToString::to_string);
    let about = about.unwrap_or_default();
    let sentence = about.split(". ").next().unwrap_or_default();
    let sentence = sentence.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = format!("{} - {}", display(command), sentence.trim_end_matches('.'));
    let mut roff = Roff::new();
    roff.control("SH", ["NAME"]).text([roman(line)]);
    roff
}

/// Files and exit codes where they belong, and where to read on.
fn closing(command: &Command) -> Roff {
    let mut roff = Roff::new();
    let top = display(command) == "trunkline";
    if top {
        list(&mut roff, "FILES", &FILES);
    }
    list(&mut roff, "EXIT STATUS", &EXIT);
    let parent = display(command).rsplit_once('-').map(|(parent, _)| parent);
    let mut others: Vec<String> = parent
        .into_iter()
        .map(|parent| format!("{parent}({SECTION})"))
        .collect();
    others.push("trunkline.toml(5)".to_owned());
    if top {
        others.extend(["systemctl(1)".to_owned(), "journalctl(1)".to_owned()]);
    }
    roff.control("SH", ["SEE ALSO"])
        .text([roman(others.join(", "))]);
    roff
}

fn list(roff: &mut Roff, heading: &str, entries: &[(&str, &str)]) {
    roff.control("SH", [heading]);
    for (term, words) in entries {
        roff.control("TP", [])
            .text([bold(*term)])
            .text([roman(*words)]);
    }
}
