//! The provider simulator in a process of its own, so that what it costs is not the daemon's, and
//! asked over its standard input.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use trunkline_simulator::{Behaviour, Endpoint, Simulator};

use crate::config::Channel;

/// Longest wait for calls that are on their way.
const WAIT_MAX: Duration = Duration::from_secs(1_800);

/// Answers questions until standard input ends; prints its address and credentials first.
///
/// `count` gives the Create calls since the last `forget`; `span A B` the microseconds from the
/// A-th to the B-th of them, counted from 1; `answer-after MS` makes each take this long from now on.
pub fn serve() -> Result<()> {
    let simulator = Simulator::start()?;
    let account = simulator.twilio();
    account.keep_requests(0);
    let mut out = std::io::stdout();
    let url = simulator.url();
    writeln!(
        out,
        "{url} {} {}",
        account.account_sid(),
        account.auth_token()
    )?;
    for line in std::io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["count"] => writeln!(out, "{}", account.create_count())?,
            ["forget"] => {
                account.forget_creates();
                writeln!(out, "0")?;
            }
            ["span", first, last] => {
                let span = account.create_span(first.parse()?, last.parse()?);
                writeln!(out, "{}", span.unwrap_or_default().as_micros())?;
            }
            ["answer-after", ms] => {
                let behaviour = match ms.parse()? {
                    0 => Behaviour::Accept,
                    ms => Behaviour::Slow(Duration::from_millis(ms)),
                };
                account.set_behaviour_of(Endpoint::Create, behaviour);
                writeln!(out, "0")?;
            }
            _ => writeln!(out, "?")?,
        }
        out.flush()?;
    }
    Ok(())
}

/// The child process that serves it.
#[derive(Debug)]
pub struct Provider {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Where it listens, without a trailing slash.
    pub url: String,
    /// Account SID.
    pub account_sid: String,
    /// Auth token.
    pub auth_token: String,
}

impl Provider {
    /// Starts this program again as the provider.
    pub fn start() -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("provider")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let questions = child.stdin.take().context("the child has an input")?;
        let answers = child.stdout.take().context("the child has an output")?;
        let mut answers = BufReader::new(answers);
        let mut line = String::new();
        answers.read_line(&mut line)?;
        let mut words = line.split_whitespace().map(str::to_owned);
        let mut word = || words.next().context("the simulator did not start");
        Ok(Self {
            url: word()?,
            account_sid: word()?,
            auth_token: word()?,
            child,
            questions,
            answers,
        })
    }

    /// A channel of its account.
    pub fn channel(&self, id: &str) -> Channel {
        Channel::twilio(id, &self.account_sid, &self.auth_token, &self.url)
    }

    fn ask(&mut self, question: &str) -> Result<u64> {
        writeln!(self.questions, "{question}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        let answer = answer.trim();
        answer
            .parse()
            .with_context(|| format!("the simulator answered {answer:?} to {question:?}"))
    }

    /// Answers Create calls this long after they came, from now on.
    pub fn answer_after(&mut self, ms: u64) -> Result<()> {
        self.ask(&format!("answer-after {ms}")).map(drop)
    }

    /// Create calls since [`Self::forget`].
    pub fn count(&mut self) -> Result<usize> {
        Ok(usize::try_from(self.ask("count")?)?)
    }

    /// Counts anew.
    pub fn forget(&mut self) -> Result<()> {
        self.ask("forget").map(drop)
    }

    /// From the `first`-th to the `last`-th call, counted from 1.
    pub fn span(&mut self, first: usize, last: usize) -> Result<Duration> {
        let us = self.ask(&format!("span {first} {last}"))?;
        Ok(Duration::from_micros(us))
    }

    /// Waits until it has had this many calls.
    pub async fn wait_count(&mut self, count: usize) -> Result<()> {
        let started = Instant::now();
        loop {
            let had = self.count()?;
            if had >= count {
                return Ok(());
            }
            ensure!(
                started.elapsed() < WAIT_MAX,
                "{had} of {count} calls came within {WAIT_MAX:?}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // Already ended is as good as killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
