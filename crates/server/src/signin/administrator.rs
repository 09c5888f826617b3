//! Local administrators: for trying out, and for when no provider can be asked.

use serde_json::json;
use usher_engine::{About, Cause, Engine, EngineError, EventKind};
use usher_signin::Password;
use usher_storage::query::session;

use super::session::{account, end_all};

/// The name of the first local administrator.
pub(crate) const ADMINISTRATOR: &str = "admin";

/// The longest name.
const LONGEST: usize = 100;

/// Gives a local administrator a new password and ends their sessions. With `replace`, also one who has a password; without
/// it, `None` when they do.
///
/// # Errors
/// [`EngineError::Invalid`] for a name that cannot be typed into one field, and what the database says.
pub async fn set_password(
    engine: &Engine,
    cause: Cause,
    name: &str,
    replace: bool,
) -> Result<Option<Password>, EngineError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@');
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(is_plain) {
        let problem = format!("use 1 to {LONGEST} letters, digits and the signs . - _ @");
        return Err(EngineError::invalid("name", problem));
    }
    let (name, password) = (name.to_owned(), Password::draw());
    let hashed = password.clone();
    let hash = tokio::task::spawn_blocking(move || hashed.hash());
    let hash = hash.await.expect("hashing a drawn password does not panic");
    let is_set = engine
        .write(cause, move |unit| {
            let (name, hash) = (name.clone(), hash.clone());
            Box::pin(async move {
                let known = session::administrator(unit.tx(), &name).await?;
                if known.is_some() && !replace {
                    return Ok(false);
                }
                let now = unit.now();
                session::set_administrator(unit.tx(), &name, &hash, now).await?;
                end_all(unit, account(None, &name)).await?;
                let data = json!({ "name": name, "is_new": known.is_none() });
                unit.tell(EventKind::AdministratorPasswordSet, About::default(), &data);
                Ok::<_, EngineError>(true)
            })
        })
        .await?;
    Ok(is_set.then_some(password))
}
