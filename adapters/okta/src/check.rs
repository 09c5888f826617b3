//! Whether a read would work, permission by permission, and what the customer sets up.

use usher_core::{AdapterError, CheckReport, ErrorKind, Permission, PermissionCheck, PermissionState};
use usher_outbound::Answer;

use crate::client::{Okta, Tune, is_missing};
use crate::config::{Login, PullSettings};
use crate::wire::{Group, Organization};

/// A permission, and the calls that need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Groups,
    Users,
    Applications,
    Log,
}

impl Need {
    /// The permissions that these settings need.
    pub(crate) fn of(settings: &PullSettings) -> Vec<Self> {
        let optional = [
            (settings.application_id.is_some(), Self::Applications),
            (settings.system_log, Self::Log),
        ];
        let wanted = optional.into_iter().filter(|(wanted, _)| *wanted);
        [Self::Groups, Self::Users]
            .into_iter()
            .chain(wanted.map(|(_, need)| need))
            .collect()
    }

    /// The OAuth scope.
    pub(crate) const fn scope(self) -> &'static str {
        match self {
            Self::Groups => "okta.groups.read",
            Self::Users => "okta.users.read",
            Self::Applications => "okta.apps.read",
            Self::Log => "okta.logs.read",
        }
    }

    pub(crate) fn permission(self) -> Permission {
        let why = match self {
            Self::Groups => "lists groups and reads their members",
            Self::Users => "finds people who were suspended or renamed, and reads one person for a restore",
            Self::Applications => "reads which groups are assigned to the application",
            Self::Log => {
                "takes the System Log as a hint which groups changed, and as proof that one was deleted"
            }
        };
        Permission {
            name: self.scope().into(),
            why: why.into(),
        }
    }

    const fn without(self) -> &'static str {
        match self {
            Self::Groups => "nothing can be read",
            Self::Users => {
                "a suspended person keeps access until the group changes, and nobody can be restored"
            }
            Self::Applications => "groups have no effect while require_assignment is on",
            Self::Log => "a deleted group stays unknown, and changes are found by the next read only",
        }
    }
}

/// Calls Okta as a read would.
///
/// # Errors
/// Only when nothing at all could be found out.
pub(crate) async fn check(settings: &PullSettings, tune: Option<Tune>) -> Result<CheckReport, AdapterError> {
    let mut probes = Vec::new();
    for need in Need::of(settings) {
        probes.push((need, probe(settings, need, tune).await));
    }
    let tenant = tenant(settings, tune).await;
    let reached = probes.iter().any(|(_, probe)| probe.is_ok());
    let has_scopes = matches!(settings.login, Login::ServiceApp { .. });
    let mut permissions = Vec::new();
    for (need, probe) in probes {
        let state = match probe {
            Ok(state) => state,
            // The same key got a token for another scope.
            Err(error) if reached && has_scopes && refuses_token(&error) => missing(settings, need, &error),
            Err(error) if !reached && tenant.is_err() => return Err(error),
            Err(error) => PermissionState::Unknown(error.to_string()),
        };
        permissions.push(PermissionCheck {
            permission: need.permission(),
            state,
        });
    }
    Ok(CheckReport {
        permissions,
        guidance: guidance(Some(settings)),
        tenant: tenant.ok(),
    })
}

/// The calls that need one permission. Each has a token of its own, so that one scope that is missing at the application
/// does not hide how the others are.
async fn probe(
    settings: &PullSettings,
    need: Need,
    tune: Option<Tune>,
) -> Result<PermissionState, AdapterError> {
    let okta = Okta::connect(settings, &[need.scope()], tune)?;
    let limit = ("limit", "1");
    let answer = match need {
        Need::Groups => {
            let answer = okta.get("check", &okta.api(&["groups"], &[limit])).await?;
            let groups: Vec<Group> = if answer.is_success() {
                answer.json()?
            } else {
                Vec::new()
            };
            match groups.first() {
                Some(group) => {
                    let url = okta.api(&["groups", &group.id, "users"], &[limit]);
                    okta.get("check", &url).await?
                }
                None if answer.is_success() => {
                    return Ok(PermissionState::Missing(
                        "Okta shows no group at all: the administrator role covers none; assign one whose resource set holds the groups".into(),
                    ));
                }
                None => answer,
            }
        }
        Need::Users => okta.get("check", &okta.api(&["users"], &[limit])).await?,
        Need::Log => okta.get("check", &okta.api(&["logs"], &[limit])).await?,
        Need::Applications => {
            let app = settings.application_id.as_deref().unwrap_or_default();
            let url = okta.api(&["apps", app, "groups"], &[limit]);
            okta.get("check", &url).await?
        }
    };
    Ok(state(&answer, settings, need))
}

fn state(answer: &Answer, settings: &PullSettings, need: Need) -> PermissionState {
    if answer.is_success() {
        return PermissionState::Works;
    }
    let error = answer.refused("check");
    if need == Need::Applications && is_missing(answer) {
        return PermissionState::Missing(format!(
            "Okta knows no such application; copy application_id from the address of its page. Until then {}: {error}",
            need.without()
        ));
    }
    if answer.status() != http::StatusCode::FORBIDDEN {
        return PermissionState::Unknown(error.to_string());
    }
    missing(settings, need, &error)
}

fn missing(settings: &PullSettings, need: Need, error: &AdapterError) -> PermissionState {
    let grant = match &settings.login {
        Login::ApiToken(_) => {
            "give the administrator of the API token a role that may do this, such as Read-only administrator"
                .to_owned()
        }
        Login::ServiceApp { .. } => format!(
            "grant the scope {} to the application, and give it an administrator role that may do this",
            need.scope()
        ),
    };
    PermissionState::Missing(format!("{}; {grant}: {error}", need.without()))
}

/// Whether an error may be that of a token request that asked for a scope which was not granted.
fn refuses_token(error: &AdapterError) -> bool {
    matches!(error.kind(), ErrorKind::Unauthorised | ErrorKind::InvalidConfig)
}

/// The id of the org, which it tells anybody.
async fn tenant(settings: &PullSettings, tune: Option<Tune>) -> Result<String, AdapterError> {
    let okta = Okta::anonymous(settings, tune)?;
    let url = okta.url(&[".well-known", "okta-organization"], &[]);
    let answer = okta.get("check", &url).await?;
    if !answer.is_success() {
        return Err(answer.refused("check"));
    }
    let organization: Organization = answer.json()?;
    Ok(organization.id)
}

/// What the customer sets up at Okta, step by step.
pub(crate) fn guidance(pull: Option<&PullSettings>) -> Vec<String> {
    let push = [
        "push: make the integration from a SCIM 2.0 template with header authentication (its changes arrive as PATCH) or in the App Integration Wizard (they arrive as PUT); Usher takes both",
        "push: enter the SCIM URL of this source and a token made with `usher token create`, with or without the word Bearer",
        "push: use two groups: one assigned to the application, which creates the accounts, and others on the tab Push Groups, which fill the rooms; a group that is both can lose members while Okta still creates them",
        "push: a person arrives in a room when all three hold: in the pushed group, assigned to the application, and the group is on the tab Push Groups",
        "push: when somebody leaves the assignment and comes back later, Okta does not send old memberships again or take them back; Usher keeps them dormant until Okta names the person again: press Push now for the group after such a return",
        "push: order rooms by the name of the group; Okta sends no id of a group before it arrives",
    ];
    let pulls = [
        "pull: make an API Services application with a public key, grant okta.groups.read and okta.users.read (okta.apps.read with application_id, okta.logs.read with system_log), and give it the role Read-only administrator, or a custom role whose resource set holds the groups",
        "pull: an API token has the rights of the administrator who made it, and ends with that account or after 30 days without use",
    ];
    let both = pull.map(|_| pulls).into_iter().flatten();
    push.into_iter().chain(both).map(String::from).collect()
}
