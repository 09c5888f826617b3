//! What a service provider lets this client do, found by real calls.

use usher_core::{AdapterError, CheckReport, ErrorKind, Permission, PermissionCheck, PermissionState};

use crate::announced::Announced;
use crate::client::{Found, NoPage, ScimClient};
use crate::reading::sees_members;
use crate::wire::{GroupResource, Kind, Resource, UserResource};

/// Each ability, with what it is for and what breaks without it.
const ABILITIES: [(&str, &str, &str); 5] = [
    ("credential", "every request", "nothing can be read"),
    (
        "/ServiceProviderConfig",
        "tells whether lists can be filtered and paged by cursor",
        "reads use no filters: they are complete every time and take more requests",
    ),
    (
        "/Users",
        "names, addresses and states of people",
        "no group can be read: its members would be unknown people",
    ),
    (
        "/Groups",
        "names of groups and who is in them",
        "no group can be read",
    ),
    (
        "members",
        "who is in a group, shown in the group or in the users' groups",
        "every group looks empty, which is never believed",
    ),
];

/// What is needed at the provider.
pub(crate) fn permissions() -> Vec<Permission> {
    ABILITIES
        .iter()
        .map(|(name, why, _)| Permission {
            name: (*name).into(),
            why: (*why).into(),
        })
        .collect()
}

/// Tries each ability.
///
/// # Errors
/// When the provider cannot be reached.
pub(crate) async fn check(client: &ScimClient) -> Result<CheckReport, AdapterError> {
    let states = match states(client).await {
        Ok(states) => states,
        Err(error) if error.kind() == ErrorKind::Unauthorised => {
            let unknown = || PermissionState::Unknown("the credential is refused".into());
            [
                missing(0, &error.to_string()),
                unknown(),
                unknown(),
                unknown(),
                unknown(),
            ]
        }
        Err(error) => return Err(error),
    };
    Ok(CheckReport {
        permissions: permissions()
            .into_iter()
            .zip(states)
            .map(|(permission, state)| PermissionCheck { permission, state })
            .collect(),
        ..CheckReport::default()
    })
}

async fn states(client: &ScimClient) -> Result<[PermissionState; 5], AdapterError> {
    let (announced, config) = match client.announced().await? {
        Found::There(announced) => (announced, PermissionState::Works),
        Found::NotThere => (Announced::default(), missing(1, "404")),
        Found::Forbidden(why) | Found::Odd(why) => (Announced::default(), missing(1, &why)),
    };
    let (users, shown_in_users) = list::<UserResource>(client, Kind::User, 2, |user| {
        user.groups().is_some_and(|groups| !groups.is_empty())
    })
    .await?;
    let (groups, _) = list::<GroupResource>(client, Kind::Group, 3, |_| false).await?;
    let seen =
        shown_in_users || (groups == PermissionState::Works && sees_members(client, &announced).await?);
    let members = if seen {
        PermissionState::Works
    } else {
        PermissionState::Unknown(format!(
            "no group with a member was seen; if the provider has one, {}",
            ABILITIES[4].2
        ))
    };
    Ok([PermissionState::Works, config, users, groups, members])
}

/// Whether a list can be read, and whether any of its first resources shows something.
async fn list<T: Resource>(
    client: &ScimClient,
    kind: Kind,
    ability: usize,
    shows: impl Fn(&T) -> bool,
) -> Result<(PermissionState, bool), AdapterError> {
    Ok(
        match client
            .page::<T>(kind, &[("startIndex", "1"), ("count", "10")])
            .await
        {
            Ok(page) => (PermissionState::Works, page.resources.iter().any(shows)),
            Err(NoPage::Refused(why) | NoPage::Forbidden(why)) => (missing(ability, &why), false),
            Err(NoPage::Failed(error)) if error.kind() == ErrorKind::Protocol => {
                (PermissionState::Unknown(error.to_string()), false)
            }
            Err(NoPage::Failed(error)) => return Err(error),
        },
    )
}

fn missing(ability: usize, why: &str) -> PermissionState {
    PermissionState::Missing(format!("{}; the provider said: {why}", ABILITIES[ability].2))
}
