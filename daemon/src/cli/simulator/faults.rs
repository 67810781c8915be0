//! What goes wrong at the simulated providers, and how they report states.

use std::{str::FromStr, time::Duration};

use clap::ValueEnum;
use trunkline_simulator::{Behaviour, Callbacks, Receipts, Simulator};

/// How long a hanging call hangs: longer than `[outbound] call_timeout`.
const HANG: Duration = Duration::from_secs(60);
/// The carrier's time for each step, and the same where reports are late.
const STEP: Duration = Duration::from_millis(200);
const LATE: Duration = Duration::from_secs(10);

/// A share of the calls, and what becomes of them.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    share: f64,
    behaviour: Behaviour,
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("{text}: write WHAT:SHARE, as in 429:10%, 500:5%, hang:1%, reset:1% or lost:1%")
        };
        let (what, share) = text.split_once(':').ok_or_else(wrong)?;
        let share: f64 = share.trim_end_matches('%').parse().map_err(|_| wrong())?;
        if !(0.0..=100.0).contains(&share) {
            return Err(wrong());
        }
        let behaviour = match (what, what.parse::<u16>()) {
            ("hang", _) => Behaviour::Hang(HANG),
            ("reset", _) => Behaviour::ResetAfterRead,
            ("lost", _) => Behaviour::ResetAfterRead.after_accepting(),
            (_, Ok(code @ (429 | 500..=599))) => {
                Behaviour::error(code, 20_000 + u32::from(code), "Simulated fault")
            }
            _ => return Err(wrong()),
        };
        Ok(Self {
            share: share / 100.0,
            behaviour,
        })
    }
}

/// How states of messages are reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Reports {
    /// One after the other.
    InOrder,
    /// The same, ten seconds apart.
    Late,
    /// Each twice.
    Doubled,
    /// The last first.
    Reversed,
    /// Not at all.
    None,
}

/// Has every provider behave so; without faults all is accepted. Each one draws from the same sequence, from its start.
pub(super) fn provoke(simulator: &Simulator, faults: &[Fault], seed: u64) {
    let shares = faults
        .iter()
        .map(|fault| (fault.share, fault.behaviour.clone()));
    let behaviour = Behaviour::Mix {
        seed,
        shares: shares.collect(),
    };
    simulator.twilio().set_behaviour(behaviour.clone());
    simulator.vonage().set_behaviour(behaviour.clone());
    simulator.meta().set_behaviour(behaviour.clone());
    simulator.webhook().set_behaviour(behaviour.clone());
    simulator.resend().set_behaviour(behaviour.clone());
    simulator.telegram().set_behaviour(behaviour.clone());
    simulator.acme().set_behaviour(behaviour.clone());
    simulator.ses().set_behaviour(behaviour);
}

/// Has those providers that report states do it so.
pub(super) fn report(simulator: &Simulator, how: Reports) {
    use trunkline_simulator::Reports as Meta;
    let (twilio, vonage, meta) = match how {
        Reports::InOrder | Reports::Late => {
            let delay = if how == Reports::Late { LATE } else { STEP };
            (
                Callbacks::InOrder { delay },
                Receipts::InOrder { delay },
                Meta::InOrder { delay },
            )
        }
        Reports::Doubled => (Callbacks::Doubled, Receipts::Doubled, Meta::Doubled),
        Reports::Reversed => (Callbacks::Reversed, Receipts::Reversed, Meta::Reversed),
        Reports::None => (Callbacks::None, Receipts::None, Meta::None),
    };
    simulator.twilio().set_callbacks(twilio);
    simulator.vonage().set_receipts(vonage);
    simulator.meta().set_reports(meta);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_a_thing_and_a_share() {
        let fault: Fault = "429:10%".parse().expect("right");
        assert!((fault.share - 0.1).abs() < 1e-9);
        assert_eq!(
            fault.behaviour,
            Behaviour::error(429, 20_429, "Simulated fault")
        );
        for right in ["503:1", "hang:0.5%", "reset:100%", "lost:2%"] {
            assert!(right.parse::<Fault>().is_ok(), "{right}");
        }
        for wrong in ["429", "200:5%", "429:101%", "429:-1%", "sleep:1%", ":"] {
            assert!(wrong.parse::<Fault>().is_err(), "{wrong}");
        }
    }
}
