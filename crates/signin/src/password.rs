//! Passwords of local administrators: made here, kept as Argon2id hashes (RFC 9106).

use std::fmt;
use std::sync::{Arc, LazyLock};

use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

/// The letters of passwords: without those that are taken for others.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
/// Groups of letters in a password, and letters in a group: 125 random bits.
const GROUPS: usize = 5;
const GROUP: usize = 5;
/// The longest password that is checked.
const LONGEST: usize = 1000;
/// How many are hashed side by side: each takes 19 MiB and a core.
const AT_ONCE: usize = 2;
/// How many more wait for their turn.
const WAITING: usize = 8;

/// A password, new or typed. `Debug` does not show it, and its memory is overwritten.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// Why a password was neither right nor wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too many are being checked.
    #[error("too many passwords are being checked; try again in a moment")]
    Busy,
    /// What is stored is no hash.
    #[error("the stored password cannot be read; make a new one with `usher admin password --reset`")]
    Damaged,
}

/// Hashes passwords, a few at a time, away from the threads that serve requests. Clones share the bound.
#[derive(Clone)]
pub struct Passwords {
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
}

impl Password {
    /// Draws a new password from the operating system's randomness.
    ///
    /// # Panics
    /// When the operating system gives no randomness: nothing secure can be made then.
    #[must_use]
    pub fn draw() -> Self {
        let mut bytes = Zeroizing::new([0; GROUPS * GROUP]);
        getrandom::fill(&mut *bytes).expect("the operating system gives randomness");
        let mut text = Zeroizing::new(String::with_capacity(GROUPS * (GROUP + 1)));
        for (at, byte) in bytes.iter().enumerate() {
            if at > 0 && at % GROUP == 0 {
                text.push('-');
            }
            text.push(char::from(LETTERS[usize::from(byte % 32)]));
        }
        Self(text)
    }

    /// Takes what somebody typed.
    #[must_use]
    pub fn typed(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text to hand out, once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The hash to keep, as a PHC string. Takes a while; call it where nobody waits for the thread.
    ///
    /// # Panics
    /// When the operating system gives no randomness.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).expect("the operating system gives randomness");
        Argon2::default()
            .hash_password_with_salt(self.0.as_bytes(), &salt)
            .expect("the parameters and the length of the salt are valid")
            .to_string()
    }
}

impl Passwords {
    /// A bound of its own.
    #[must_use]
    pub fn new() -> Self {
        Self {
            running: Arc::new(Semaphore::new(AT_ONCE)),
            admitted: Arc::new(Semaphore::new(AT_ONCE + WAITING)),
        }
    }

    /// Whether a typed password is the one that this hash was made of. Without a hash nobody's password is right, and it
    /// takes as long to say so.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub async fn is_right(&self, typed: Password, hash: Option<String>) -> Result<bool, PasswordError> {
        if typed.0.len() > LONGEST {
            return Ok(false);
        }
        let _admitted = Arc::clone(&self.admitted)
            .try_acquire_owned()
            .map_err(|_| PasswordError::Busy)?;
        let running = Arc::clone(&self.running)
            .acquire_owned()
            .await
            .map_err(|_| PasswordError::Busy)?;
        spawn_blocking(move || {
            // Kept by the thread: whoever goes away leaves the work running.
            let _running = running;
            let is_known = hash.is_some();
            let hash = hash.unwrap_or_else(|| NOBODYS.clone());
            match Argon2::default().verify_password(typed.0.as_bytes(), hash.as_str()) {
                Ok(()) => Ok(is_known),
                Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                Err(_) => Err(PasswordError::Damaged),
            }
        })
        .await
        .unwrap_or(Err(PasswordError::Busy))
    }
}

/// The hash of a password that nobody knows.
static NOBODYS: LazyLock<String> = LazyLock::new(|| Password::draw().hash());

impl Default for Passwords {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_right_password_is_right_and_no_other() {
        let (password, passwords) = (Password::draw(), Passwords::new());
        let hash = password.hash();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, password.hash());
        let check =
            |typed: &str, hash: Option<String>| passwords.is_right(Password::typed(typed.to_owned()), hash);
        assert_eq!(check(password.expose(), Some(hash.clone())).await, Ok(true));
        for wrong in [
            "",
            "x",
            &password.expose().to_uppercase(),
            &"x".repeat(LONGEST + 1),
        ] {
            assert_eq!(check(wrong, Some(hash.clone())).await, Ok(false), "{wrong}");
        }
        assert_eq!(check(password.expose(), None).await, Ok(false));
        assert_eq!(
            check("x", Some("nonsense".into())).await,
            Err(PasswordError::Damaged)
        );
    }

    #[test]
    fn new_passwords_are_long_readable_different_and_hidden() {
        let (one, other) = (Password::draw(), Password::draw());
        assert_eq!(one.expose().len(), GROUPS * GROUP + GROUPS - 1);
        assert_ne!(one.expose(), other.expose());
        assert!(!format!("{one:?}").contains(one.expose()));
    }

    #[tokio::test]
    async fn beyond_the_bound_there_is_no_waiting() {
        let passwords = Passwords::new();
        let all = passwords
            .admitted
            .clone()
            .acquire_many_owned((AT_ONCE + WAITING) as u32);
        let all = all.await.unwrap();
        let check = || passwords.is_right(Password::typed("x".into()), None);
        assert_eq!(check().await, Err(PasswordError::Busy));
        drop(all);
        assert_eq!(check().await, Ok(false));
    }
}
