//! People who sign in, and their sessions. All are in memory too: there are few, and they are asked for often.

use std::collections::HashMap;

use parking_lot::RwLock;
use tokio::sync::Mutex;

use super::{Store, codec, engine::StoreError, keys};
use crate::model::{Millis, OrgId, Session, User, UserId};

/// SHA-256 of a session's secret.
pub type SessionHash = [u8; 32];

/// Users and sessions in memory. They change once the change is stored.
#[derive(Default)]
pub(super) struct Users {
    /// Held over each change: what it is based on stays so until it is done.
    changing: Mutex<()>,
    known: RwLock<HashMap<UserId, User>>,
    sessions: RwLock<HashMap<SessionHash, Session>>,
}

impl Store {
    /// Fills what is kept in memory.
    pub(super) fn derive_users(&self) -> Result<(), StoreError> {
        for entry in self.scan_prefix(&keys::kind(OrgId::SYSTEM, keys::USER), None, false) {
            let (key, bytes) = entry?;
            let user: User = codec::decode(&key, &bytes)?;
            self.users.known.write().insert(user.id, user);
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

    /// Stores a new user. False where another has the name.
    pub async fn save_user(&self, user: &User) -> Result<bool, StoreError> {
        let _changing = self.users.changing.lock().await;
        let namesake = self.user_by_name(&user.name);
        if namesake.is_some_and(|other| other.id != user.id) {
            return Ok(false);
        }
        self.put_user(user).await?;
        Ok(true)
    }

    /// Changes a user as they are now, except for id and name. None where there is no such user.
    pub async fn update_user(
        &self,
        id: UserId,
        change: impl FnOnce(&mut User),
    ) -> Result<Option<User>, StoreError> {
        let _changing = self.users.changing.lock().await;
        let Some(mut user) = self.user(id) else {
            return Ok(None);
        };
        change(&mut user);
        self.put_user(&user).await?;
        Ok(Some(user))
    }

    async fn put_user(&self, user: &User) -> Result<(), StoreError> {
        let key = keys::user(user.id);
        let pending = self
            .engine
            .transact(|tx| tx.put(&key, codec::encode(user)))?;
        pending.await?;
        self.users.known.write().insert(user.id, user.clone());
        Ok(())
    }

    /// Removes a user with all sessions. False where there was none.
    pub async fn remove_user(&self, id: UserId) -> Result<bool, StoreError> {
        let _changing = self.users.changing.lock().await;
        let sessions = self.sessions_of(id);
        let pending = self.engine.transact(|tx| {
            for hash in &sessions {
                tx.delete(keys::session(hash))?;
            }
            tx.delete(keys::user(id))
        })?;
        let (was_there, _) = pending.await?;
        self.users.known.write().remove(&id);
        self.forget_sessions(&sessions);
        Ok(was_there)
    }

    fn user(&self, id: UserId) -> Option<User> {
        self.users.known.read().get(&id).cloned()
    }

    /// The user with this name.
    pub fn user_by_name(&self, name: &str) -> Option<User> {
        let users = self.users.known.read();
        users.values().find(|user| user.name == name).cloned()
    }

    /// All users by name.
    pub fn users(&self) -> Vec<User> {
        let mut users: Vec<User> = self.users.known.read().values().cloned().collect();
        users.sort_by(|a, b| a.name.cmp(&b.name));
        users
    }

    /// Begins a session of a user whose password was checked against the hash `checked`, and ends those whose time
    /// is over. None where the user has another password by now, is disabled or gone.
    pub async fn sign_in(
        &self,
        hash: SessionHash,
        session: Session,
        checked: &str,
    ) -> Result<Option<User>, StoreError> {
        let _changing = self.users.changing.lock().await;
        let user = self.user(session.user);
        let Some(mut user) = user.filter(|user| user.password == checked && !user.disabled) else {
            return Ok(None);
        };
        let now = self.now();
        user.signed_in_at_ms = Some(now);
        let over: Vec<SessionHash> = {
            let sessions = self.users.sessions.read();
            let over = sessions.iter().filter(|(_, s)| s.expires_at_ms <= now);
            over.map(|(hash, _)| *hash).collect()
        };
        let pending = self.engine.transact(|tx| {
            for hash in &over {
                tx.delete(keys::session(hash))?;
            }
            tx.put(keys::user(user.id), codec::encode(&user))?;
            tx.put(keys::session(&hash), codec::encode(&session))
        })?;
        pending.await?;
        self.forget_sessions(&over);
        self.users.known.write().insert(user.id, user.clone());
        self.users.sessions.write().insert(hash, session);
        Ok(Some(user))
    }

    /// Ends sessions of a user: one, or all of them.
    pub async fn end_sessions(
        &self,
        user: UserId,
        only: Option<SessionHash>,
    ) -> Result<(), StoreError> {
        let _changing = self.users.changing.lock().await;
        let ended: Vec<SessionHash> = self
            .sessions_of(user)
            .into_iter()
            .filter(|hash| only.is_none_or(|only| only == *hash))
            .collect();
        let pending = self.engine.transact(|tx| {
            for hash in &ended {
                tx.delete(keys::session(hash))?;
            }
            Ok::<_, StoreError>(())
        })?;
        pending.await?;
        self.forget_sessions(&ended);
        Ok(())
    }

    /// The user of a session that is not over, unless they are disabled.
    pub fn signed_in(&self, hash: &SessionHash, now: Millis) -> Option<User> {
        let session = *self.users.sessions.read().get(hash)?;
        let user = self.user(session.user)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::Role, store::EngineOptions};

    fn store(folder: &tempfile::TempDir) -> Store {
        Store::open(folder.path(), EngineOptions::default())
            .unwrap()
            .0
    }

    fn user(store: &Store, name: &str) -> User {
        User {
            id: UserId::new(store.new_id()),
            name: name.into(),
            role: Role::Member,
            organization: None,
            disabled: false,
            password: "first".into(),
            created_at_ms: 1,
            signed_in_at_ms: None,
        }
    }

    #[tokio::test]
    async fn a_name_is_given_once_even_at_the_same_time() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let (one, other) = (user(&store, "ada"), user(&store, "ada"));
        let (one, other) = tokio::join!(store.save_user(&one), store.save_user(&other));
        assert_ne!(one.unwrap(), other.unwrap());
        assert_eq!(store.users().len(), 1);
    }

    #[tokio::test]
    async fn a_session_begins_only_if_what_was_checked_is_so_still() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let ada = user(&store, "ada");
        assert!(store.save_user(&ada).await.unwrap());
        let session = Session {
            user: ada.id,
            expires_at_ms: Millis::MAX,
        };
        let begun = store.sign_in([1; 32], session, "first").await.unwrap();
        assert!(begun.is_some_and(|user| user.signed_in_at_ms.is_some()));
        let change = |user: &mut User| user.password = "second".into();
        let changed = store.update_user(ada.id, change).await.unwrap();
        assert!(changed.is_some_and(|user| user.signed_in_at_ms.is_some()));
        let late = store.sign_in([2; 32], session, "first").await.unwrap();
        assert!(late.is_none(), "another password by now");
        let disable = |user: &mut User| user.disabled = true;
        store.update_user(ada.id, disable).await.unwrap();
        let late = store.sign_in([2; 32], session, "second").await.unwrap();
        assert!(late.is_none(), "disabled by now");
        assert!(store.remove_user(ada.id).await.unwrap());
        let late = store.sign_in([2; 32], session, "second").await.unwrap();
        assert!(late.is_none(), "gone by now");
        let late = store.update_user(ada.id, disable).await.unwrap();
        assert!(late.is_none() && store.users().is_empty());
    }
}
