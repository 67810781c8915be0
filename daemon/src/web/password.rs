//! Passwords: hashed and checked with argon2id, off the web's threads and few at a time, since each takes
//! 19 MiB and some tens of milliseconds.

use std::sync::LazyLock;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _},
};
use tokio::sync::Semaphore;

use super::problem::Problem;

/// Hashed or checked at the same time.
const AT_ONCE: usize = 2;

static SLOTS: Semaphore = Semaphore::const_new(AT_ONCE);

/// What an unknown name's password is checked against, so that its refusal takes as long as any other.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| hashed("nobody has this one").ok());

/// The hash of a password, in the PHC string format.
pub(super) async fn hash(password: String) -> Result<String, Problem> {
    on_its_own_thread(move || hashed(&password)).await?
}

/// Whether a password is the one of a hash; of no hash none is.
pub(super) async fn matches(password: String, hash: Option<String>) -> Result<bool, Problem> {
    on_its_own_thread(move || {
        let known = hash.is_some();
        let stored = hash.or_else(|| NOBODY.clone()).unwrap_or_default();
        let argon = Argon2::default();
        let good = argon.verify_password(password.as_bytes(), stored.as_str());
        good.is_ok() && known
    })
    .await
}

fn hashed(password: &str) -> Result<String, Problem> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    let hash = hash.map_err(|error| Problem::unavailable(format!("no password hash: {error}")))?;
    Ok(hash.to_string())
}

async fn on_its_own_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let slot = SLOTS.acquire().await;
    let done = tokio::task::spawn_blocking(work).await;
    drop(slot);
    done.map_err(|error| Problem::unavailable(format!("the password can't be checked: {error}")))
}
