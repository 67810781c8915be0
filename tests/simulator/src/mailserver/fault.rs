//! How a conversation goes wrong, and where.

use std::collections::VecDeque;
use std::time::Duration;

/// A step of the conversation: where the server would answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The greeting.
    Greeting,
    /// EHLO, before or behind STARTTLS.
    Ehlo,
    /// STARTTLS.
    StartTls,
    /// AUTH, at its end.
    Auth,
    /// MAIL.
    MailFrom,
    /// RCPT.
    RcptTo,
    /// DATA.
    Data,
    /// In the middle of the mail, after some of its bytes.
    Middle,
    /// Behind the final dot.
    Message,
}

/// What happens there instead of the right answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailFault {
    /// This answer: code and words (`451 4.3.0 try again`).
    Answer(u16, String),
    /// Nothing, while the connection stays.
    Hang,
    /// The connection is reset.
    Reset,
    /// The right answer, after this time.
    Slow(Duration),
    /// STARTTLS only: more than the answer comes in the open.
    Inject(String),
}

/// A fault and where it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Where.
    pub stage: Stage,
    /// What.
    pub fault: MailFault,
    /// [`Stage::Message`] only: the mail is kept all the same, and its answer lost.
    pub accepted: bool,
    /// How often; none for always.
    pub times: Option<u32>,
}

impl Trouble {
    /// A fault that always happens.
    pub fn at(stage: Stage, fault: MailFault) -> Self {
        Self {
            stage,
            fault,
            accepted: false,
            times: None,
        }
    }

    /// A refusal in these words.
    pub fn answer(stage: Stage, code: u16, words: &str) -> Self {
        Self::at(stage, MailFault::Answer(code, words.to_owned()))
    }

    /// For the next `count` times only.
    #[must_use]
    pub fn times(mut self, count: u32) -> Self {
        self.times = Some(count);
        self
    }

    /// The mail is kept, whatever the client hears.
    #[must_use]
    pub fn after_accepting(mut self) -> Self {
        self.accepted = true;
        self
    }
}

/// The troubles to come, in their order.
#[derive(Debug, Default)]
pub(super) struct Troubles(VecDeque<Trouble>);

impl Troubles {
    pub(super) fn push(&mut self, trouble: Trouble) {
        self.0.push_back(trouble);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What happens at a stage now: the first trouble that is about it.
    pub(super) fn at(&mut self, stage: Stage) -> Option<Trouble> {
        let index = self.0.iter().position(|trouble| trouble.stage == stage)?;
        let found = self.0[index].clone();
        match &mut self.0[index].times {
            Some(0 | 1) => drop(self.0.remove(index)),
            Some(times) => *times -= 1,
            None => {}
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_troubles_pass() {
        let mut troubles = Troubles::default();
        troubles.push(Trouble::at(Stage::Data, MailFault::Hang).times(2));
        troubles.push(Trouble::at(Stage::Data, MailFault::Reset));
        let faults: Vec<_> = (0..4).filter_map(|_| troubles.at(Stage::Data)).collect();
        let faults: Vec<_> = faults.into_iter().map(|trouble| trouble.fault).collect();
        assert_eq!(
            faults,
            [
                MailFault::Hang,
                MailFault::Hang,
                MailFault::Reset,
                MailFault::Reset
            ]
        );
        assert_eq!(troubles.at(Stage::Ehlo), None);
    }
}
