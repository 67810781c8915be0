//! Languages, words, commands and limits.

use super::Written;
use crate::config::{CommandThread, Inbound};

#[test]
fn what_can_not_mean_anything_is_told_with_its_line() {
    for (text, line, words) in [
        (
            "[consent]\nlanguages = [\"en\", \"xx\"]\n",
            2,
            "\"xx\" has no words",
        ),
        (
            "[consent]\nlanguages = [\"de\"]\n[consent.words.de]\nstop = [\"Halt\"]\nstart = [\"halt!\"]\n",
            3,
            "\"halt\" stands in two of stop, start and help",
        ),
        (
            "[consent]\nlanguages = [\"de\"]\n[consent.words.de]\nstop = [\"!?\"]\n",
            3,
            "a word must have 1 to 40 characters",
        ),
        ("[commands.\"/help\"]\n", 1, "does nothing"),
        (
            "[commands.\" /help\"]\nreply = \"Hi\"\n",
            1,
            "no blanks at its ends",
        ),
        (
            "[commands.\"/help\"]\nreply = \"Hi\"\n[commands.\"/HELP\"]\nreply = \"Ho\"\n",
            0,
            "is there twice",
        ),
        (
            "[commands.\"/help\"]\nreply = \"Hi\"\nthread = \"open\"\n",
            3,
            "commands",
        ),
        (
            "[inbound]\nsender_per_minute = -1\n",
            2,
            "sender_per_minute",
        ),
    ] {
        let errors = Written::new(text).errors();
        assert_eq!(errors.len(), 1, "{text}: {errors:?}");
        let at = format!("trunkline.toml:{line}:");
        assert!(line == 0 || errors[0].starts_with(&at), "{errors:?}");
        assert!(errors[0].contains(words), "{errors:?}");
    }
}

#[test]
fn words_of_a_language_that_does_not_count_are_a_warning() {
    let config = Written::new("[consent.words.de]\nstop = [\"Halt\"]\n").valid();
    let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("consent.words.de"), "{warnings:?}");
}

#[test]
fn commands_stand_beside_ours_and_limits_are_those_of_the_channel() {
    let config = Written::new(
        "[inbound]\nsender_per_minute = 5\n[commands.\"/done\"]\nthread = \"close\"\n\
         [channel.a]\nadapter = \"x\"\n[channel.b]\nadapter = \"x\"\ninbound.channel_per_second = 7\n",
    )
    .valid();
    let thread = |text| {
        config
            .commands
            .find(text)
            .and_then(|(_, command)| command.thread)
    };
    assert_eq!(thread("/done"), Some(CommandThread::Close));
    assert_eq!(thread("/human"), Some(CommandThread::NeedsHuman));
    assert_eq!(
        config.channels["a"].inbound,
        Inbound {
            sender_per_minute: 5,
            channel_per_second: 0
        }
    );
    assert_eq!(
        config.channels["b"].inbound,
        Inbound {
            sender_per_minute: 5,
            channel_per_second: 7
        }
    );
}
