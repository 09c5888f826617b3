//! Which statuses of an Okta user count as an account that may be used.

use std::collections::BTreeSet;

/// The statuses that Okta documents. `ACTIVATING`, which a user has for a moment while being activated, is not among
/// them: the decision before it stays.
pub(crate) const KNOWN: [&str; 8] = [
    "ACTIVE",
    "DEPROVISIONED",
    "LOCKED_OUT",
    "PASSWORD_EXPIRED",
    "PROVISIONED",
    "RECOVERY",
    "STAGED",
    "SUSPENDED",
];

/// Statuses that mean a login problem only: the person is still employed.
pub(crate) const ACTIVE_BY_DEFAULT: [&str; 4] = ["ACTIVE", "LOCKED_OUT", "PASSWORD_EXPIRED", "RECOVERY"];

/// Which statuses count as active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatusPolicy(BTreeSet<String>);

impl StatusPolicy {
    /// Takes the statuses that count as active.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub(crate) fn new(active: &[String]) -> Result<Self, String> {
        for status in active {
            if status == "DEPROVISIONED" {
                return Err(
                    "active_statuses cannot hold DEPROVISIONED, which is a deactivated account".into(),
                );
            }
            if !KNOWN.contains(&status.as_str()) {
                let known = KNOWN.join(", ");
                return Err(format!(
                    "active_statuses holds '{}'; Okta's statuses are {known}",
                    status.escape_debug()
                ));
            }
        }
        Ok(Self(active.iter().cloned().collect()))
    }

    /// Whether a user with this status may use the account; `None` for a status that is not known, which decides
    /// nothing.
    pub(crate) fn allows(&self, status: &str) -> Option<bool> {
        KNOWN.contains(&status).then(|| self.0.contains(status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(active: &[&str]) -> Result<StatusPolicy, String> {
        let active: Vec<_> = active.iter().map(|status| (*status).to_owned()).collect();
        StatusPolicy::new(&active)
    }

    #[test]
    fn by_default_a_login_problem_takes_nobody_out_of_a_room() {
        let policy = policy(&ACTIVE_BY_DEFAULT).unwrap();
        let decided = KNOWN.map(|status| policy.allows(status));
        let expected = [true, false, true, true, false, true, false, false].map(Some);
        assert_eq!(decided, expected);
    }

    #[test]
    fn a_status_that_is_not_known_decides_nothing() {
        let policy = policy(&ACTIVE_BY_DEFAULT).unwrap();
        assert_eq!(policy.allows("ACTIVATING"), None);
        assert_eq!(policy.allows("active"), None);
    }

    #[test]
    fn a_policy_that_cannot_be_meant_is_refused() {
        assert!(policy(&["ACTIVE", "SUSPENDED", "STAGED"]).is_ok());
        assert!(policy(&["DEPROVISIONED"]).unwrap_err().contains("deactivated"));
        assert!(policy(&["ENABLED"]).unwrap_err().contains("'ENABLED'"));
    }
}
