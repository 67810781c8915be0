//! What the schema can't say of `[consent]` and `[commands]`.

use super::{
    Config,
    finding::child,
    inbound::{COMMAND_BYTES_MAX, same},
    report::Report,
};
use crate::model::{KEYWORD_CHARS_MAX, normal_keyword};

/// Checks languages, words and commands.
pub(super) fn check(config: &Config, report: &mut Report<'_>) {
    languages(config, report);
    words(config, report);
    commands(config, report);
}

fn languages(config: &Config, report: &mut Report<'_>) {
    let consent = &config.consent;
    for (index, language) in consent.languages.iter().enumerate() {
        if !consent.knows(language) {
            let item = format!("/consent/languages/{index}");
            let at = if report.places.has(&item) {
                item
            } else {
                "/consent/languages".into()
            };
            let message = format!(
                "\"{language}\" has no words: give them in [consent.words.{language}], or use en, de, fr, \
                 es or nl"
            );
            report.error(&at, message);
        }
    }
    let sections = [
        ("words", consent.words.keys().collect::<Vec<_>>()),
        ("replies", consent.replies.keys().collect()),
    ];
    for (section, named) in sections {
        for language in named {
            if !consent.languages.contains(language) {
                let message = "is not one of [consent] languages: it has no effect";
                let pointer = child(&child("/consent", section), language);
                report.warn(&pointer, message);
            }
        }
    }
}

fn words(config: &Config, report: &mut Report<'_>) {
    for language in config.consent.words.keys() {
        let pointer = child("/consent/words", language);
        let mut seen: Vec<(usize, String)> = Vec::new();
        for (list, (_, words)) in config.consent.lists(language).into_iter().enumerate() {
            for word in words {
                let Some(normal) = normal_keyword(&word) else {
                    let message = format!(
                        "a word must have 1 to {KEYWORD_CHARS_MAX} characters, letters or digits among \
                         them"
                    );
                    report.error(&pointer, message);
                    continue;
                };
                if seen
                    .iter()
                    .any(|(other, known)| *other != list && *known == normal)
                {
                    let message = format!("\"{normal}\" stands in two of stop, start and help");
                    report.error(&pointer, message);
                }
                seen.push((list, normal));
            }
        }
    }
}

fn commands(config: &Config, report: &mut Report<'_>) {
    let commands: Vec<_> = config.commands.iter().collect();
    for (index, (name, command)) in commands.iter().enumerate() {
        let pointer = child("/commands", name);
        let fits = (1..=COMMAND_BYTES_MAX).contains(&name.len()) && name.trim() == *name;
        if !fits || name.chars().any(char::is_control) {
            let message = format!(
                "a command must have 1 to {COMMAND_BYTES_MAX} bytes and no blanks at its ends"
            );
            report.error(&pointer, message);
        }
        if command.enabled && command.thread.is_none() && command.reply.is_none() {
            report.error(
                &pointer,
                "does nothing: set thread, reply or enabled = false",
            );
        }
        let mut others = commands[..index].iter();
        if others.any(|(other, _)| same(other, name)) {
            report.error(
                &pointer,
                "is there twice: upper and lower case are the same",
            );
        }
    }
}
