//! People who sign in, and their sessions. All are in memory too: there are few, and they are asked for often.

use std::collections::HashMap;

use parking_lot::RwLock;

use super::{Store, codec, engine::StoreError, keys};
use crate::model::{Millis, OrgId, Session, User, UserId};

/// SHA-256 of a session's secret.
pub type SessionHash = [u8; 32];

/// Users and sessions in memory.
#[derive(Default)]
pub(super) struct Users {
    users: RwLock<HashMap<UserId, User>>,
    sessions: RwLock<HashMap<SessionHash, Session>>,
}

impl Store {
    /// Fills what is kept in memory.
    pub(super) fn derive_users(&self) -> Result<(), StoreError> {
        for entry in self.scan_prefix(&keys::kind(OrgId::SYSTEM, keys::USER), None, false) {
            let (key, bytes) = entry?;
            let user: User = codec::decode(&key, &bytes)?;
            self.users.users.write().insert(user.id, user);
        }
        let sessions = keys::kind(OrgId::SYSTEM, keys::SESSION);
        for entry in self.scan_prefix(&sessions, None, false) {
            let (key, bytes) = entry?;
            let session: Session = codec::decode(&key, &bytes)?;
            if let Some(hash) = key.last_chunk::<32>() {
                self.users.sessions.write().insert(*hash, session);
            }
        }
        Ok(())
    }

    /// Stores a user, new or changed. False where another has the name.
    pub async fn save_user(&self, user: &User) -> Result<bool, StoreError> {
        {
            let mut users = self.users.users.write();
            let is_taken = |other: &User| other.name == user.name && other.id != user.id;
            if users.values().any(is_taken) {
                return Ok(false);
            }
            users.insert(user.id, user.clone());
        }
        let key = keys::user(user.id);
        let pending = self
            .engine
            .transact(|tx| tx.put(&key, codec::encode(user)))?;
        pending.await?;
        Ok(true)
    }

    /// Removes a user with all sessions. False where there was none.
    pub async fn remove_user(&self, id: UserId) -> Result<bool, StoreError> {
        self.users.users.write().remove(&id);
        let sessions = self.sessions_of(id);
        let pending = self.engine.transact(|tx| {
            for hash in &sessions {
                tx.delete(keys::session(hash))?;
            }
            tx.delete(keys::user(id))
        })?;
        self.forget_sessions(&sessions);
        Ok(pending.await?.0)
    }

    /// The user with this name.
    pub fn user_by_name(&self, name: &str) -> Option<User> {
        let users = self.users.users.read();
        users.values().find(|user| user.name == name).cloned()
    }

    /// All users by name.
    pub fn users(&self) -> Vec<User> {
        let mut users: Vec<User> = self.users.users.read().values().cloned().collect();
        users.sort_by(|a, b| a.name.cmp(&b.name));
        users
    }

    /// Begins a session, and ends those whose time is over.
    pub async fn begin_session(
        &self,
        hash: SessionHash,
        session: Session,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let over: Vec<SessionHash> = {
            let sessions = self.users.sessions.read();
            let over = sessions.iter().filter(|(_, s)| s.expires_at_ms <= now);
            over.map(|(hash, _)| *hash).collect()
        };
        let pending = self.engine.transact(|tx| {
            for hash in &over {
                tx.delete(keys::session(hash))?;
            }
            tx.put(keys::session(&hash), codec::encode(&session))
        })?;
        pending.await?;
        self.forget_sessions(&over);
        self.users.sessions.write().insert(hash, session);
        Ok(())
    }

    /// Ends sessions of a user: one, or all of them.
    pub async fn end_sessions(
        &self,
        user: UserId,
        only: Option<SessionHash>,
    ) -> Result<(), StoreError> {
        let ended: Vec<SessionHash> = self
            .sessions_of(user)
            .into_iter()
            .filter(|hash| only.is_none_or(|only| only == *hash))
            .collect();
        self.forget_sessions(&ended);
        let pending = self.engine.transact(|tx| {
            for hash in &ended {
                tx.delete(keys::session(hash))?;
            }
            Ok::<_, StoreError>(())
        })?;
        pending.await?;
        Ok(())
    }

    /// The user of a session that is not over, unless they are disabled.
    pub fn signed_in(&self, hash: &SessionHash, now: Millis) -> Option<User> {
        let session = *self.users.sessions.read().get(hash)?;
        let user = self.users.users.read().get(&session.user).cloned()?;
        (session.expires_at_ms > now && !user.disabled).then_some(user)
    }

    fn sessions_of(&self, user: UserId) -> Vec<SessionHash> {
        let sessions = self.users.sessions.read();
        let own = sessions.iter().filter(|(_, session)| session.user == user);
        own.map(|(hash, _)| *hash).collect()
    }

    fn forget_sessions(&self, hashes: &[SessionHash]) {
        let mut sessions = self.users.sessions.write();
        for hash in hashes {
            sessions.remove(hash);
        }
    }
}
