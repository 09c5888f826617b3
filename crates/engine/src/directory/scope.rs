//! Whether an account is one of the organisation's own.

use serde_json::Value;
use usher_core::{GuestMark, Scope};
use usher_storage::query::user::UserRow;

use super::UserData;
use crate::policy::{Policy, SourcePolicy};

/// Where a stored resource says that a read of the provider marked the user as a guest, as a SCIM extension (RFC 7643 §3.3).
pub(crate) const GUEST_EXTENSION: &str = "urn:usher:scim:schemas:extension:guest:2.0:User";

/// The address that counts for a user, folded: the primary or work address, else a user name that is one.
pub(crate) fn company_address(user: &UserData) -> Option<String> {
    let address = user
        .emails
        .first()
        .map(String::as_str)
        .or(Some(user.user_name.as_str()));
    address
        .filter(|address| is_address(address))
        .map(str::to_lowercase)
}

/// Whether the user is in scope: a company address, and no guest.
pub(crate) fn scope(policy: &Policy, source: &SourcePolicy, user: &UserData) -> Scope {
    if user.guest || source.guest_marks.iter().any(|mark| marks(mark, user)) {
        return Scope::Guest;
    }
    match company_address(user) {
        Some(address) if policy.owns_address(&address) => Scope::In,
        Some(_) => Scope::ForeignDomain,
        None if policy.domains.iter().any(|domain| domain == "*") => Scope::In,
        None => Scope::NoAddress,
    }
}

/// Whether a stored user is in scope, by rules that may be newer than what is stored.
pub(crate) fn stored_scope(policy: &Policy, source: &SourcePolicy, user: &UserRow) -> Scope {
    let resource: Value = serde_json::from_str(&user.resource).unwrap_or_default();
    let others = resource["emails"].as_array().into_iter().flatten();
    let mut emails: Vec<String> = user.email.iter().cloned().collect();
    emails.extend(
        others
            .filter_map(|email| email["value"].as_str())
            .map(str::to_owned),
    );
    let user = UserData {
        user_name: user.user_name.clone(),
        external_id: None,
        emails,
        display_name: None,
        active: user.active,
        user_type: resource["userType"].as_str().map(str::to_owned),
        guest: resource[GUEST_EXTENSION]["guest"] == true,
        resource: String::new(),
    };
    scope(policy, source, &user)
}

fn is_address(text: &str) -> bool {
    text.split_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
}

fn marks(mark: &GuestMark, user: &UserData) -> bool {
    match mark {
        GuestMark::AddressContains(text) => {
            let text = text.to_lowercase();
            std::iter::once(&user.user_name)
                .chain(&user.emails)
                .any(|address| address.to_lowercase().contains(&text))
        }
        GuestMark::UserType(text) => user
            .user_type
            .as_ref()
            .is_some_and(|kind| kind.eq_ignore_ascii_case(text)),
    }
}

#[cfg(test)]
mod tests {
    use usher_core::PushProfile;

    use super::*;

    fn check(user_name: &str, emails: &[&str], expected: Scope) {
        let policy = Policy {
            domains: vec!["contoso.com".into()],
            ..Policy::default()
        };
        let user = UserData {
            user_name: user_name.into(),
            external_id: None,
            emails: emails.iter().map(ToString::to_string).collect(),
            display_name: None,
            active: true,
            user_type: None,
            guest: false,
            resource: String::new(),
        };
        let source = SourcePolicy::from(&PushProfile::default());
        assert_eq!(scope(&policy, &source, &user), expected, "{user_name} {emails:?}");
    }

    #[test]
    fn the_first_address_decides_and_the_user_name_stands_in() {
        check("anna", &["anna@contoso.com"], Scope::In);
        check("anna@contoso.com", &[], Scope::In);
        check("anna@contoso.onmicrosoft.com", &["anna@contoso.com"], Scope::In);
        check(
            "anna@contoso.com",
            &["anna@private.example"],
            Scope::ForeignDomain,
        );
        check("anna", &[], Scope::NoAddress);
        check(
            "bob_fabrikam.com#EXT#@contoso.com",
            &["bob@contoso.com"],
            Scope::Guest,
        );
    }
}
