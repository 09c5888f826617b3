//! Users: who they are, and how they come and go.

use usher_core::DirectoryChange;
use usher_fakes::Guest;

use super::{KEPT, company, excluded};
use crate::promise::ensure;
use crate::{Outcome, Provider, Reader};

/// Users whom the provider shows as guests are marked as guests, and nobody else is.
pub async fn guests_are_marked_as_guests<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let kinds = [Guest::No, Guest::External, Guest::ExternalMember, Guest::Internal];
    for (person, kind) in company.people.iter().zip(kinds) {
        company.directory.edit_user(person, |user| user.guest = kind);
    }
    let mut reader = Reader::new(&provider, &company.directory, company.wanted());
    reader.full().await?.succeeded()?;
    for (person, kind) in company.people.iter().zip(kinds) {
        let expected = kind != Guest::No && P::GUESTS.contains(&kind);
        let told = reader.model().user(person).map(|user| user.record.guest);
        ensure!(
            told == Some(expected),
            "whether user {person}, who is {kind:?}, is a guest was reported as {told:?}"
        );
    }
    KEPT
}

/// A disabled account is reported as inactive, and as active when it is enabled again.
pub async fn a_disabled_user_is_inactive_and_comes_back<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let mut reader = Reader::new(&provider, &company.directory, company.wanted());
    if !reader.capabilities().disabled_users {
        return excluded("the provider does not tell whether an account is disabled");
    }
    reader.full().await?.succeeded()?;
    reader.equals_directory("with one account disabled from the beginning")?;
    for (enabled, when) in [(false, "disabled"), (true, "enabled again")] {
        company.directory.enable(&company.people[3], enabled);
        reader.catch_up().await?;
        reader.equals_directory(&format!("after an account was {when}"))?;
    }
    KEPT
}

/// Deleted users are in no group, whether the provider keeps them in a bin or not; one taken out of the bin is back.
pub async fn a_deleted_user_is_gone_and_an_undeleted_one_comes_back<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let mut reader = Reader::new(&provider, &company.directory, company.wanted());
    reader.settle().await?;
    company.directory.soft_delete_user(&company.people[0]);
    company.directory.delete_user(&company.people[1]);
    let mut complete = reader.clone();
    reader.catch_up().await?;
    reader.equals_directory("after two users were deleted, one of them for good")?;
    complete.settle().await?;
    complete.equals_directory("after two users were deleted, one of them for good, and complete reads")?;
    company.directory.undelete_user(&company.people[0]);
    reader.catch_up().await?;
    reader.settle().await?;
    reader.equals_directory("after a user was taken out of the bin")?;
    KEPT
}

/// Another sign-in name and another address are no other user.
pub async fn a_renamed_user_is_the_same_user<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let mut reader = Reader::new(&provider, &company.directory, company.wanted());
    reader.full().await?.succeeded()?;
    company.directory.edit_user(&company.people[0], |user| {
        user.user_name = "anna@contoso.example".into();
        user.email = Some("anna@contoso.example".into());
        user.family_name = "Married".into();
    });
    // Somebody else takes over the name that became free.
    let successor = company.directory.add_user("ann@contoso.example");
    company.directory.add_member(&company.board, &successor);
    let mut complete = reader.clone();
    complete.full().await?.succeeded()?;
    reader.catch_up().await?;
    for (reader, when) in [(reader, "a delta"), (complete, "a complete read")] {
        reader.equals_directory(&format!("after a user was renamed, and {when}"))?;
        let emails = [&company.people[0], &successor].map(|person| {
            let user = reader.model().user(person);
            user.and_then(|user| user.record.email.clone())
        });
        ensure!(
            emails == ["anna@contoso.example", "ann@contoso.example"].map(|email| Some(email.to_owned())),
            "after {when} the addresses of the renamed user and of the successor are {emails:?}"
        );
    }
    KEPT
}

/// Users and groups are described as SCIM resources, without `id` and `meta` (RFC 7643 §4.1 and §4.2), and the parts that
/// are also fields say the same.
pub async fn a_user_is_described_as_a_scim_resource<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let mut reader = Reader::new(&provider, &company.directory, company.wanted());
    let read = reader.full().await?.succeeded()?;
    for change in read.changes() {
        let (resource, external_id) = match change {
            DirectoryChange::UserUpserted(user) => (&user.resource, &user.external_id),
            DirectoryChange::GroupUpserted(group) => (&group.resource, &group.external_id),
            _ => continue,
        };
        for key in ["id", "meta", "members", "password"] {
            ensure!(
                !resource.contains_key(key),
                "a resource with '{key}' was reported: {resource:?}"
            );
        }
        let told = resource.get("externalId").and_then(|id| id.as_str());
        ensure!(
            told.is_none() || told == external_id.as_deref(),
            "the external id is {external_id:?} and in the resource {told:?}"
        );
    }
    for person in &company.people[..6] {
        let Some(user) = reader.model().user(person).map(|user| &user.record) else {
            continue;
        };
        let there = company.directory.user(person);
        let name = there.as_ref().map(|user| user.display_name());
        let text = |key: &str| user.resource.get(key).and_then(|value| value.as_str());
        ensure!(
            text("userName") == Some(&user.user_name),
            "user {person} is called {} and in the resource {:?}",
            user.user_name,
            text("userName")
        );
        ensure!(
            user.display_name == name && text("displayName") == name.as_deref(),
            "user {person} is shown as {name:?} and was reported as {:?}, in the resource {:?}",
            user.display_name,
            text("displayName")
        );
        let active = user.resource.get("active").and_then(serde_json::Value::as_bool);
        ensure!(
            active == Some(user.active),
            "user {person} is active: {}, and in the resource {active:?}",
            user.active
        );
        let emails = user.resource.get("emails").and_then(|emails| emails.as_array());
        let primary = emails
            .into_iter()
            .flatten()
            .find(|email| email["primary"] == true)
            .and_then(|email| email["value"].as_str());
        ensure!(
            user.email == there.and_then(|user| user.email) && primary == user.email.as_deref(),
            "the address of user {person} was reported as {:?}, in the resource as {primary:?}",
            user.email
        );
    }
    KEPT
}
