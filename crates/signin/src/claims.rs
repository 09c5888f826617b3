//! From what a provider says of a person to one role.

use serde_json::Value;
use usher_core::Role;

use crate::{ProviderError, SignInError};

/// The most values that are looked at, and the most that are shown.
const MOST_VALUES: usize = 10_000;
const MOST_SHOWN: usize = 20;

/// Which role a claim gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRules {
    claim: Option<String>,
    rules: Vec<RoleRule>,
}

/// Whoever has this value in the claim has this role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRule {
    /// The value; `None` for everybody who signs in at this provider.
    pub value: Option<String>,
    /// The role.
    pub role: Role,
}

impl RoleRules {
    /// Takes rules, the first that matches wins. `claim` is the name of a claim, or a path of names with dots, such as
    /// `realm_access.roles`; a claim whose own name has dots is found too.
    ///
    /// # Errors
    /// [`ProviderError`] for rules by which nobody could come in, or programs.
    pub fn new(claim: Option<String>, rules: Vec<RoleRule>) -> Result<Self, ProviderError> {
        if rules.is_empty() {
            return Err(ProviderError::NoRules);
        }
        if rules.iter().any(|rule| rule.role == Role::App) {
            return Err(ProviderError::App);
        }
        if claim.is_none()
            && let Some(value) = rules.iter().find_map(|rule| rule.value.clone())
        {
            return Err(ProviderError::NoClaim(value));
        }
        Ok(Self { claim, rules })
    }

    /// The role that these claims give.
    ///
    /// # Errors
    /// [`SignInError::NoRole`], with what was found instead.
    pub(crate) fn role(&self, person: &Person, claims: &Value) -> Result<Role, SignInError> {
        let found = self
            .claim
            .as_deref()
            .and_then(|claim| find(claims, claim))
            .map(values);
        let has = |value: &str| found.iter().flatten().any(|found| *found == value);
        let rule = self
            .rules
            .iter()
            .find(|rule| rule.value.as_deref().is_none_or(has));
        rule.map(|rule| rule.role).ok_or_else(|| SignInError::NoRole {
            subject: person.subject.clone(),
            name: person.name.clone(),
            claim: self.claim.clone(),
            overflow: found.is_none() && self.overflows(claims),
            found: found.map(|found| {
                let shown = found.iter().take(MOST_SHOWN);
                shown.map(|value| value.chars().take(200).collect()).collect()
            }),
        })
    }

    /// Whether the claim is only referred to: Entra ID does so for people in many groups.
    /// <https://learn.microsoft.com/en-us/entra/identity-platform/id-token-claims-reference#groups-overage-claim>
    fn overflows(&self, claims: &Value) -> bool {
        let Some(claim) = &self.claim else {
            return false;
        };
        claims["_claim_names"].get(claim).is_some() || claim == "groups" && claims["hasgroups"] == true
    }
}

/// Who somebody is to the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) subject: String,
    pub(crate) name: String,
    pub(crate) email: Option<String>,
}

impl Person {
    /// Reads name and address from the claims of OpenID Connect Core 1.0 §5.1.
    pub(crate) fn read(subject: &str, claims: &Value) -> Self {
        let text = |name: &str| {
            let value = claims[name].as_str().map(clean).unwrap_or_default();
            Some(value).filter(|value| !value.is_empty())
        };
        // An address that the provider itself does not vouch for could be anybody's.
        let is_vouched = claims["email_verified"] != false && claims["email_verified"] != "false";
        let email = text("email").filter(|email| is_vouched && email.contains('@'));
        let name = ["name", "preferred_username"].into_iter().find_map(text);
        Self {
            subject: subject.to_owned(),
            name: name
                .or_else(|| email.clone())
                .unwrap_or_else(|| subject.to_owned()),
            email,
        }
    }
}

/// Text fit for a line: bounded, without control characters.
fn clean(text: &str) -> String {
    let line: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    line.trim().to_owned()
}

/// The value at a path of names with dots, where names may have dots themselves.
fn find<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let object = value.as_object()?;
    if let Some(found) = object.get(path) {
        return Some(found);
    }
    path.match_indices('.')
        .find_map(|(at, _)| find(object.get(&path[..at])?, &path[at + 1..]))
}

/// The texts of a claim that is one or a list of them.
fn values(claim: &Value) -> Vec<&str> {
    match claim {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().filter_map(Value::as_str).take(MOST_VALUES).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(value: &str, role: Role) -> RoleRule {
        RoleRule {
            value: Some(value.to_owned()),
            role,
        }
    }

    fn ada() -> Person {
        Person::read("1", &json!({ "name": "Ada" }))
    }

    fn role(claim: &str, claims: &Value) -> Option<Role> {
        let rules = vec![rule("admins", Role::Admin), rule("it", Role::It)];
        let rules = RoleRules::new(Some(claim.to_owned()), rules).unwrap();
        rules.role(&ada(), claims).ok()
    }

    #[test]
    fn the_first_rule_that_matches_wins() {
        for (claim, claims, expected) in [
            ("roles", json!({ "roles": ["it", "admins"] }), Some(Role::Admin)),
            ("roles", json!({ "roles": ["it"] }), Some(Role::It)),
            ("roles", json!({ "roles": "it" }), Some(Role::It)),
            ("roles", json!({ "roles": ["IT", "it ", "x it"] }), None),
            ("roles", json!({ "roles": [["it"], 7, null] }), None),
            ("roles", json!({ "roles": { "it": true } }), None),
            ("roles", json!({}), None),
            (
                "realm_access.roles",
                json!({ "realm_access": { "roles": ["it"] } }),
                Some(Role::It),
            ),
            (
                "https://x.example/roles",
                json!({ "https://x.example/roles": ["it"] }),
                Some(Role::It),
            ),
            ("a.b.c", json!({ "a.b": { "c": "it" } }), Some(Role::It)),
            ("a.b.c", json!({ "a": { "b": "it" } }), None),
        ] {
            assert_eq!(role(claim, &claims), expected, "{claim} {claims}");
        }
    }

    #[test]
    fn a_rule_without_a_value_is_for_everybody() {
        let everybody = RoleRule {
            value: None,
            role: Role::Requester,
        };
        let rules = RoleRules::new(
            Some("roles".into()),
            vec![rule("it", Role::It), everybody.clone()],
        )
        .unwrap();
        assert_eq!(rules.role(&ada(), &json!({ "roles": ["it"] })), Ok(Role::It));
        assert_eq!(rules.role(&ada(), &json!({})), Ok(Role::Requester));
        let rules = RoleRules::new(None, vec![everybody]).unwrap();
        assert_eq!(rules.role(&ada(), &json!({})), Ok(Role::Requester));
    }

    #[test]
    fn who_has_no_role_is_told_what_was_found() {
        let rules = RoleRules::new(Some("groups".into()), vec![rule("it", Role::It)]).unwrap();
        let refused = |claims: Value| match rules.role(&ada(), &claims) {
            Err(SignInError::NoRole { found, overflow, .. }) => (found, overflow),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            refused(json!({ "groups": ["x"] })),
            (Some(vec!["x".into()]), false)
        );
        assert_eq!(refused(json!({})), (None, false));
        let many = json!({ "_claim_names": { "groups": "src1" }, "_claim_sources": {} });
        assert_eq!(refused(many), (None, true));
    }

    #[test]
    fn rules_that_cannot_work_are_refused() {
        assert_eq!(RoleRules::new(None, vec![]), Err(ProviderError::NoRules));
        assert_eq!(
            RoleRules::new(None, vec![rule("x", Role::It)]),
            Err(ProviderError::NoClaim("x".into()))
        );
        assert_eq!(
            RoleRules::new(Some("r".into()), vec![rule("x", Role::App)]),
            Err(ProviderError::App)
        );
    }

    #[test]
    fn names_are_one_line_and_addresses_are_vouched_for() {
        let person = |claims: Value| Person::read("sub", &claims);
        let ada = person(json!({ "name": " Ada\r\nLovelace ", "email": "ada@x.example" }));
        assert_eq!(
            (ada.name.as_str(), ada.email.as_deref()),
            ("AdaLovelace", Some("ada@x.example"))
        );
        let unverified = person(json!({ "email": "ada@x.example", "email_verified": false }));
        assert_eq!((unverified.name.as_str(), unverified.email), ("sub", None));
        assert_eq!(person(json!({ "preferred_username": "ada" })).name, "ada");
        assert_eq!(person(json!({ "email": "nonsense" })).email, None);
    }
}
