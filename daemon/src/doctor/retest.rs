//! Tries refused webhooks again through their channel's own adapter, with what may have been wrong
//! put right.
//!
//! The calls of its own adapter are made on the channel's thread, a few at a time, so that webhooks pass between
//! them; those of an adapter opened with other secrets are made elsewhere.
//! Everything is bounded: trials of one request, trials in all, and time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use trunkline_plugin_api::{Verdict, WebhookRequest};

use super::{
    causes::{self, Known, Variation},
    secrets::{self, Candidate},
    trials::{Place, Stop},
    words,
};
use trunkline_host::Instance;

use crate::{channel::Channel, config::Plugins, inbound::Rejected};

/// Trials of one request.
const PER_REQUEST_MAX: usize = 600;
/// Trials of one examination.
const TRIALS_MAX: usize = 20_000;
/// Time for one examination.
const TIME_MAX: Duration = Duration::from_secs(8);

/// What would have made a refused webhook pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Its name, for programs; two are joined with a plus.
    pub cause: String,
    /// What differs and what to do.
    pub words: String,
}

/// What trying again brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// This would have matched.
    Match(Match),
    /// Nothing did, or nothing could be tried; why, and what to do.
    Nothing(String),
}

/// The trials of one channel.
pub(super) struct Retester {
    channel: Arc<Channel>,
    others: Vec<Arc<Channel>>,
    known: Known,
    place: Place,
    secret_keys: Vec<String>,
    candidates: Vec<Opened>,
    /// The cause found last: the next request is likely to have the same.
    last: String,
    trials: usize,
    trials_of_this: usize,
    ends: Instant,
    over: Option<String>,
}

/// A candidate with its adapter, opened when it is first tried.
struct Opened {
    candidate: Candidate,
    /// None before; an error where the adapter refuses it.
    instance: Option<Result<Instance, ()>>,
}

impl Retester {
    /// Prepares the trials of a channel. `others` are channels of the same adapter whose secrets
    /// may have been used by mistake.
    pub(super) fn new(
        channel: Arc<Channel>,
        others: Vec<Arc<Channel>>,
        known: Known,
        plugins: &Plugins,
    ) -> Self {
        let schema = channel.plugin.as_ref().map(|plugin| plugin.manifest());
        let secret_keys =
            schema.map_or_else(Vec::new, |manifest| secrets::keys(&manifest.config_schema));
        let section = |channel: &Arc<Channel>| channel.config().config.expose().clone();
        let theirs: Vec<_> = others
            .iter()
            .map(|other| (other.id.to_string(), section(other)))
            .collect();
        let candidates = secrets::candidates(&secret_keys, &section(&channel), &theirs);
        let candidates = candidates.into_iter().map(|candidate| Opened {
            candidate,
            instance: None,
        });
        Self {
            candidates: candidates.collect(),
            place: Place::of(&channel, plugins),
            channel,
            others,
            known,
            secret_keys,
            last: String::new(),
            trials: 0,
            trials_of_this: 0,
            ends: Instant::now() + TIME_MAX,
            over: None,
        }
    }

    /// How many trials were made.
    pub(super) fn trials(&self) -> usize {
        self.trials
    }

    /// Tries one refused webhook.
    pub(super) async fn examine(&mut self, rejected: &Rejected) -> Finding {
        if rejected.is_cut {
            return Finding::Nothing(words::cut());
        }
        if rejected.verdict == Verdict::Expired {
            return Finding::Match(words::expired(&rejected.reason));
        }
        if let Some(over) = &self.over {
            return Finding::Nothing(over.clone());
        }
        self.trials_of_this = 0;
        match self.search(rejected).await {
            Ok(Some(found)) => {
                self.last.clone_from(&found.cause);
                Finding::Match(found)
            }
            Ok(None) | Err(Stop::Share) => Finding::Nothing(words::nothing(
                rejected.verdict,
                self.trials_of_this,
                &self.secret_keys,
            )),
            Err(Stop::All(why)) => {
                self.over = Some(why.clone());
                Finding::Nothing(why)
            }
        }
    }

    /// From the likely and cheap to the unlikely.
    async fn search(&mut self, rejected: &Rejected) -> Result<Option<Match>, Stop> {
        let request = &rejected.request;
        let as_is = [request.url.clone()];
        if self.own(request, &as_is).await?.is_some() {
            return Ok(Some(words::passes_now()));
        }
        let is_signed = rejected.verdict != Verdict::Unsigned;
        let mut variations = Vec::new();
        if is_signed {
            variations = causes::variations(request, &self.known);
            // What was found last goes first.
            variations.sort_by_key(|one| (one.cause() != self.last, one.edits.len()));
        }
        let is_near = |one: &&Variation| one.edits.len() == 1 || one.cause() == self.last;
        let near = variations.iter().filter(is_near).count();
        let (near, far) = variations.split_at(near);
        if let Some(found) = self.own_variations(request, near).await? {
            return Ok(Some(found));
        }
        if let Some(found) = self.of_others(request).await? {
            return Ok(Some(found));
        }
        if let Some(found) = self.candidates(request, &as_is, &[]).await? {
            return Ok(Some(found));
        }
        if let Some(found) = self.own_variations(request, far).await? {
            return Ok(Some(found));
        }
        let urls: Vec<_> = near.iter().map(|one| one.url.to_string()).collect();
        self.candidates(request, &urls, near).await
    }

    /// The channel's adapter as it is, with other URLs.
    async fn own_variations(
        &mut self,
        request: &WebhookRequest,
        variations: &[Variation],
    ) -> Result<Option<Match>, Stop> {
        let urls: Vec<_> = variations.iter().map(|one| one.url.to_string()).collect();
        let Some(index) = self.own(request, &urls).await? else {
            return Ok(None);
        };
        let mut found = words::url(&variations[index], &request.url, &self.known);
        if let Some(which) = self.which_secret(request, &urls[index]).await? {
            found.words = format!("{}; {which}", found.words);
        }
        Ok(Some(found))
    }

    /// Which of several listed secrets it is that a request is signed with.
    async fn which_secret(
        &mut self,
        request: &WebhookRequest,
        url: &str,
    ) -> Result<Option<String>, Stop> {
        let config = self.channel.config();
        let url = [url.to_owned()];
        for candidate in secrets::one_by_one(&self.secret_keys, config.config.expose()) {
            self.check_bounds()?;
            let opened = self.place.open(&self.channel, &candidate).await?;
            let channel = self.channel.clone();
            if let Ok(instance) = opened
                && self
                    .matching(&channel, Some(instance), request, &url)
                    .await?
                    .is_some()
            {
                return Ok(Some(candidate.words));
            }
        }
        Ok(None)
    }

    /// The other channels' adapters, with the request as it came.
    async fn of_others(&mut self, request: &WebhookRequest) -> Result<Option<Match>, Stop> {
        for other in self.others.clone() {
            let url = [request.url.clone()];
            // One that is down says nothing; the trials go on.
            let found = self.matching(&other, None, request, &url).await;
            if matches!(found, Ok(Some(_))) {
                return Ok(Some(words::of_other(other.id.as_str())));
            }
            if let Err(Stop::Share) = found {
                return Err(Stop::Share);
            }
        }
        Ok(None)
    }

    /// The channel's adapter with other secrets.
    async fn candidates(
        &mut self,
        request: &WebhookRequest,
        urls: &[String],
        variations: &[Variation],
    ) -> Result<Option<Match>, Stop> {
        let channel = self.channel.clone();
        for index in 0..self.candidates.len() {
            if self.candidates[index].instance.is_none() {
                self.check_bounds()?;
                let candidate = &self.candidates[index].candidate;
                let opened = self.place.open(&channel, candidate).await?;
                self.candidates[index].instance = Some(opened);
            }
            let Some(Ok(instance)) = self.candidates[index].instance.clone() else {
                continue;
            };
            let found = self
                .matching(&channel, Some(instance), request, urls)
                .await?;
            if let Some(found) = found {
                let secret = &self.candidates[index].candidate.words;
                return Ok(Some(match variations.get(found) {
                    None => words::secret(secret),
                    Some(one) => words::both(secret, &words::url(one, &request.url, &self.known)),
                }));
            }
        }
        Ok(None)
    }

    async fn own(
        &mut self,
        request: &WebhookRequest,
        urls: &[String],
    ) -> Result<Option<usize>, Stop> {
        let channel = self.channel.clone();
        self.matching(&channel, None, request, urls).await
    }

    /// The first URL with which an adapter vouches for the request: the channel's own adapter, or
    /// the one given.
    async fn matching(
        &mut self,
        channel: &Channel,
        instance: Option<Instance>,
        request: &WebhookRequest,
        urls: &[String],
    ) -> Result<Option<usize>, Stop> {
        let mut at = 0;
        while at < urls.len() {
            self.check_bounds()?;
            let room = PER_REQUEST_MAX - self.trials_of_this;
            let turn: Vec<_> = urls[at..].iter().take(room).cloned().collect();
            let (given, request) = (instance.clone(), request.clone());
            let tried = self.place.take_turn(channel, given, request, turn).await?;
            self.trials += tried.count;
            self.trials_of_this += tried.count;
            if tried.matched {
                return Ok(Some(at + tried.count - 1));
            }
            at += tried.count;
            tokio::task::yield_now().await;
        }
        Ok(None)
    }

    fn check_bounds(&self) -> Result<(), Stop> {
        if self.trials >= TRIALS_MAX || Instant::now() >= self.ends {
            return Err(Stop::All(words::enough(self.trials)));
        }
        if self.trials_of_this >= PER_REQUEST_MAX {
            return Err(Stop::Share);
        }
        Ok(())
    }
}
