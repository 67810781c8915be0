//! The ledger of consent: written in the transaction that brings the change, asked before every
//! send.
//!
//! ```text
//! keyword, provider's signal ─ with the inbound message ─┐
//! refused attempt, failed report ─ with its outcome ─────┼─> entry (identity, scope): state, proofs
//! operator, import ──────────────────────────────────────┘        ├─ accept ─> refused
//!                                                                 └─ lease ──> failed, no call
//! ```

use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use trunkline_plugin_api::{Consent, ConsentChange, ErrorClass, Identity};

use super::{
    Page, Store, codec,
    engine::{StoreError, Transaction},
    erasure, keys,
    outbox::report,
    queue,
    records::{self, load},
    reports,
};
use crate::model::{
    ChannelId, ConsentEntry, ConsentProof, ConsentSource, ConsentState, Direction, EVERY_SENDER,
    EventId, Failure, Message, Millis, OrgId, OutboxItem, OutboxState, Report, Source, Status,
    forbidding,
};

/// Longest identifier that consent is kept for, in bytes; no message is sent to a longer one.
const IDENTIFIER_BYTES_MAX: usize = 320;
/// Longest id or code of a provider that is kept as a proof, in characters.
const REFERENCE_CHARS_MAX: usize = 128;
/// Longest scope, in bytes.
const SCOPE_BYTES_MAX: usize = 320;

/// Which entries of the ledger are wanted.
#[derive(Debug, Clone, Default)]
pub struct ConsentFilter {
    /// Those of this identifier, in whatever space.
    pub identifier: Option<String>,
    /// Those in this state.
    pub state: Option<ConsentState>,
}

/// Where a list of the ledger goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentCursor(Vec<u8>);

impl FromStr for ConsentCursor {
    type Err = data_encoding::DecodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        BASE64URL_NOPAD.decode(text.as_bytes()).map(Self)
    }
}

impl std::fmt::Display for ConsentCursor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

/// A change that one of our people records.
#[derive(Debug, Clone)]
pub struct SetConsent {
    /// Whose.
    pub identity: Identity,
    /// For messages from where; [`EVERY_SENDER`] for the whole organization.
    pub scope: String,
    /// What proves it.
    pub proof: ConsentProof,
}

impl Store {
    /// Remembers the address that each channel sends from, so that what is learned of a message
    /// finds its scope.
    pub async fn save_senders(
        &self,
        senders: Vec<(OrgId, ChannelId, String)>,
    ) -> Result<(), StoreError> {
        let pending = self.engine.transact(|tx| {
            for (org, channel, scope) in &senders {
                let key = keys::sender(*org, channel);
                if tx.get(&key)?.as_deref() != Some(scope.as_bytes()) {
                    tx.put(&key, scope.as_bytes())?;
                }
            }
            Ok::<_, StoreError>(())
        })?;
        pending.await?;
        Ok(())
    }

    /// Entries of the ledger in the order of their identifiers.
    pub fn consents(
        &self,
        org: OrgId,
        filter: &ConsentFilter,
        after: Option<ConsentCursor>,
        limit: usize,
    ) -> Result<Page<ConsentEntry, ConsentCursor>, StoreError> {
        let prefix = match &filter.identifier {
            Some(identifier) => keys::consents_with(org, identifier),
            None => keys::kind(org, keys::CONSENT),
        };
        let mut page = Page::default();
        let mut last = Vec::new();
        let after = after.map(|cursor| [prefix.as_slice(), &cursor.0].concat());
        for entry in self.scan_after(&prefix, after) {
            let (key, bytes) = entry?;
            let entry: ConsentEntry = codec::decode(&key, &bytes)?;
            if filter.state.is_some_and(|state| state != entry.state) {
                continue;
            }
            if page.items.len() == limit {
                page.next = Some(ConsentCursor(last));
                break;
            }
            last = key[prefix.len()..].to_vec();
            page.items.push(entry);
        }
        Ok(page)
    }

    /// The entries of one identity over all senders.
    pub fn consents_of(
        &self,
        org: OrgId,
        identity: &Identity,
    ) -> Result<Vec<ConsentEntry>, StoreError> {
        self.scan_prefix(&keys::consents_of(org, identity), None, false)
            .map(|entry| entry.and_then(|(key, bytes)| codec::decode(&key, &bytes)))
            .collect()
    }

    /// Records a change by one of our people; gives the entry as it is then.
    pub async fn set_consent(
        &self,
        org: OrgId,
        set: SetConsent,
    ) -> Result<ConsentEntry, StoreError> {
        if set.identity.identifier.len() > IDENTIFIER_BYTES_MAX || set.scope.len() > SCOPE_BYTES_MAX
        {
            return Err(StoreError::Refused("an address is too long".into()));
        }
        let pending = self.engine.transact(|tx| {
            let mut entry = entry(tx, org, &set.identity, &set.scope, set.proof.at_ms)?;
            // A list of another system knows nothing of who opted out here and was erased.
            let is_import = set.proof.source == ConsentSource::Import;
            let is_erased = |proof: &ConsentProof| proof.source == ConsentSource::Erased;
            if is_import && entry.is_out() && entry.history.iter().all(is_erased) {
                return Ok(entry);
            }
            entry.apply(set.proof);
            save(tx, org, &entry)?;
            Ok::<_, StoreError>(entry)
        })?;
        Ok(pending.await?.0)
    }

    /// The entry that forbids a message to an identity on a channel, if one does. Costs nothing
    /// while nobody of the organization is in the ledger.
    pub(super) fn forbidden(
        &self,
        tx: &mut Transaction<'_>,
        org: OrgId,
        channel: &ChannelId,
        to: &Identity,
    ) -> Result<Option<ConsentEntry>, StoreError> {
        if self.nobody_in_ledger(org) {
            return Ok(None);
        }
        let scope = scope_of(tx, org, channel)?;
        forbidden_for(tx, org, &scope, to)
    }

    fn nobody_in_ledger(&self, org: OrgId) -> bool {
        let count = |kind| self.engine.count(org.0, kind);
        count(keys::CONSENT) == 0 && count(keys::ERASURE) == 0
    }

    /// Fails an item whose call is about to be made, where its recipient has opted out since it was
    /// taken, or since its last part went out. True where it did.
    pub(super) fn refuse_call(
        &self,
        tx: &mut Transaction<'_>,
        org: OrgId,
        item: &mut OutboxItem,
        now: Millis,
    ) -> Result<bool, StoreError> {
        if self.nobody_in_ledger(org) {
            return Ok(false);
        }
        match records::find_message(tx, org, item.message)? {
            Some(mut message) => self.refuse_opted_out(tx, org, item, &mut message, now),
            None => Ok(false),
        }
    }

    /// Fails a due item without a call where its recipient has opted out since. True where it did.
    pub(super) fn refuse_opted_out(
        &self,
        tx: &mut Transaction<'_>,
        org: OrgId,
        item: &mut OutboxItem,
        message: &mut Message,
        now: Millis,
    ) -> Result<bool, StoreError> {
        if item.answers_keyword {
            return Ok(false);
        }
        let Some(entry) = self.forbidden(tx, org, &item.channel, &message.peer)? else {
            return Ok(false);
        };
        let failure = Failure {
            class: ErrorClass::OptedOut,
            code: "opted_out".into(),
            message: format!("not sent: {}", entry.words()),
            provider_code: None,
        };
        let refused = Report {
            code: Some(failure.code.clone()),
            detail: Some(failure.message.clone()),
            error: Some(failure),
            ..report(Status::Failed, Source::Accept, now)
        };
        message.apply_to(message.next_part(), refused);
        queue::give_up(tx, org, item, message, OutboxState::Dead)?;
        reports::note_status(tx, org, message);
        records::save_message(tx, org, message)?;
        Ok(true)
    }
}

/// The scope of a channel's messages: the address that it sends from, else its id.
pub(super) fn scope_of(
    tx: &mut Transaction<'_>,
    org: OrgId,
    channel: &ChannelId,
) -> Result<String, StoreError> {
    let stored = tx.get(&keys::sender(org, channel))?;
    let stored = stored.and_then(|bytes| String::from_utf8(bytes).ok());
    Ok(stored.unwrap_or_else(|| channel.to_string()))
}

pub(super) fn forbidden_for(
    tx: &mut Transaction<'_>,
    org: OrgId,
    scope: &str,
    to: &Identity,
) -> Result<Option<ConsentEntry>, StoreError> {
    let own = known(tx, org, to, scope)?;
    let every = known(tx, org, to, EVERY_SENDER)?;
    Ok(forbidding(own, every))
}

/// The entry in the ledger, or what is remembered of one whose person was erased.
fn known(
    tx: &mut Transaction<'_>,
    org: OrgId,
    identity: &Identity,
    scope: &str,
) -> Result<Option<ConsentEntry>, StoreError> {
    match load(tx, &keys::consent(org, identity, scope))? {
        Some(entry) => Ok(Some(entry)),
        None => erasure::remembered(tx, org, identity, scope),
    }
}

fn entry(
    tx: &mut Transaction<'_>,
    org: OrgId,
    identity: &Identity,
    scope: &str,
    now_ms: Millis,
) -> Result<ConsentEntry, StoreError> {
    let known = known(tx, org, identity, scope)?;
    Ok(known.unwrap_or_else(|| ConsentEntry::new(identity.clone(), scope, now_ms)))
}

fn save(tx: &mut Transaction<'_>, org: OrgId, entry: &ConsentEntry) -> Result<(), StoreError> {
    let key = keys::consent(org, &entry.identity, &entry.scope);
    tx.put(&key, codec::encode(entry))?;
    erasure::supersede(tx, org, &entry.identity, &entry.scope)
}

/// Records a proof for an identity and a scope. True where it was new.
pub(super) fn record(
    tx: &mut Transaction<'_>,
    org: OrgId,
    identity: &Identity,
    scope: &str,
    proof: ConsentProof,
) -> Result<bool, StoreError> {
    if identity.identifier.len() > IDENTIFIER_BYTES_MAX {
        return Ok(false);
    }
    let mut entry = entry(tx, org, identity, scope, proof.at_ms)?;
    if !entry.apply(proof) {
        return Ok(false);
    }
    save(tx, org, &entry)?;
    Ok(true)
}

/// Records what a provider recorded by itself. False where it was known already.
pub(super) fn take_signal(
    tx: &mut Transaction<'_>,
    org: OrgId,
    channel: &ChannelId,
    consent: &Consent,
    event: EventId,
    at_ms: Millis,
) -> Result<bool, StoreError> {
    let message = match &consent.source {
        Some(id) => match records::find_external(tx, org, channel, id)? {
            Some(id) => records::find_message(tx, org, id)?.map(|message| message.id),
            None => None,
        },
        None => None,
    };
    let proof = ConsentProof {
        channel: Some(channel.clone()),
        message,
        event: Some(event),
        reference: consent.source.as_deref().map(clip),
        ..ConsentProof::new(at_ms, consent.change, ConsentSource::ProviderSignal)
    };
    let scope = scope_of(tx, org, channel)?;
    record(tx, org, &consent.identity, &scope, proof)
}

/// Learns from a failure whether the recipient has opted out at the provider.
pub(super) fn learn(
    tx: &mut Transaction<'_>,
    org: OrgId,
    message: &Message,
    failure: &Failure,
    at_ms: Millis,
) -> Result<(), StoreError> {
    if failure.class != ErrorClass::OptedOut || message.direction != Direction::Outbound {
        return Ok(());
    }
    let proof = ConsentProof {
        channel: Some(message.channel.clone()),
        message: Some(message.id),
        reference: failure.provider_code.as_deref().map(clip),
        ..ConsentProof::new(at_ms, ConsentChange::OptOut, ConsentSource::ProviderError)
    };
    let scope = scope_of(tx, org, &message.channel)?;
    record(tx, org, &message.peer, &scope, proof)?;
    Ok(())
}

pub(super) fn clip(text: &str) -> String {
    text.chars().take(REFERENCE_CHARS_MAX).collect()
}
