//! `trunkline completions`: what a shell needs to complete the command line.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::{Cli, failure::Failure, output};

/// The verb.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell that the script is for.
    shell: Shell,
}

impl Completions {
    /// Prints the script.
    pub(super) fn perform(self) -> Result<(), Failure> {
        output::print(&script(self.shell))
    }
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "trunkline", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_completes_every_verb() {
        let command = Cli::command();
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
                let name = verb.get_name();
                assert!(script.contains(name), "{shell}: {name} is missing");
                for sub in verb.get_subcommands() {
                    let sub = sub.get_name();
                    assert!(script.contains(sub), "{shell}: {name} {sub} is missing");
                }
            }
            assert!(script.contains("config"), "{shell}: --config is missing");
        }
    }
}
