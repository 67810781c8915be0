//! People who sign in.

use serde::{Deserialize, Serialize};

use super::{Millis, Role, UserId};

/// Characters of a user's name at most.
pub const USER_NAME_CHARS_MAX: usize = 64;
/// Characters of a password at least.
const PASSWORD_CHARS_MIN: usize = 12;
/// Characters of a password at most.
pub const PASSWORD_CHARS_MAX: usize = 256;

/// A person with a password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// The name to sign in with: `a-z`, `0-9`, `.`, `_`, `-`, `@`; one in the installation.
    pub name: String,
    /// What the person may do.
    pub role: Role,
    /// The organization they are confined to; none is all.
    pub organization: Option<String>,
    /// May not sign in.
    pub disabled: bool,
    /// The password's hash: argon2id, in the PHC string format.
    pub password: String,
    /// When it was made.
    pub created_at_ms: Millis,
    /// When the person last signed in.
    #[serde(default)]
    pub signed_in_at_ms: Option<Millis>,
}

/// The hash of a password is not for logs.
impl std::fmt::Debug for User {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("User")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("role", &self.role)
            .field("organization", &self.organization)
            .field("disabled", &self.disabled)
            .finish_non_exhaustive()
    }
}

/// Someone who is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Who.
    pub user: UserId,
    /// Until when.
    pub expires_at_ms: Millis,
}

/// Says what is wrong with a name to sign in with.
pub fn check_user_name(name: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-@".contains(c);
    if (1..=USER_NAME_CHARS_MAX).contains(&name.len()) && name.chars().all(good) {
        return Ok(());
    }
    Err(format!(
        "a user's name is made of a-z, 0-9, \".\", \"_\", \"-\" and \"@\", at most {USER_NAME_CHARS_MAX} of them"
    ))
}

/// Says what is wrong with a password.
pub fn check_password(password: &str) -> Result<(), String> {
    let chars = password.chars().count();
    if (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&chars) {
        return Ok(());
    }
    Err(format!(
        "a password has {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters, this one has {chars}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords_are_bounded() {
        for name in ["ada", "ada.l-1_x@example.org", &"a".repeat(64)] {
            assert_eq!(check_user_name(name), Ok(()), "{name}");
        }
        for name in ["", "Ada", "a b", "ä", "a/b", &"a".repeat(65)] {
            assert!(check_user_name(name).is_err(), "{name}");
        }
        assert!(check_password("eleven char").is_err());
        assert_eq!(check_password("äöüäöüäöüäöü"), Ok(()));
        assert!(check_password(&"x".repeat(257)).is_err());
    }
}
