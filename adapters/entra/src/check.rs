//! Whether reading would work, and what to set up.

use serde::de::IgnoredAny;
use usher_core::{AdapterError, CheckReport, Permission, PermissionCheck, PermissionState};

use crate::adapter::Pull;
use crate::client::{Consistency, Found, guid, literal};
use crate::record;
use crate::wire::{Identified, Page, User};

const OPERATION: &str = "check";

const GROUPS: &str = "GroupMember.Read.All";
const USERS: &str = "User.Read.All";
const APPLICATIONS: &str = "Application.Read.All";

/// What reading needs.
pub(crate) fn permissions(application: bool) -> Vec<Permission> {
    let mut permissions = vec![
        permission(
            GROUPS,
            "to list groups and their members, and to follow changes in them",
        ),
        permission(
            USERS,
            "to see who members are and whether their accounts are enabled; without it members are ids alone and nobody gets in",
        ),
    ];
    if application {
        permissions.push(permission(
            APPLICATIONS,
            "to see which groups are assigned to the enterprise application",
        ));
    }
    permissions
}

fn permission(name: &str, why: &str) -> Permission {
    Permission {
        name: name.into(),
        why: why.into(),
    }
}

/// What the customer sets up.
pub(crate) fn guidance(pull: bool) -> Vec<String> {
    let push = [
        "create an enterprise application of the non-gallery kind; an app registration alone cannot provision",
        "under Provisioning enter the SCIM URL of this source as Tenant URL and a token made with `usher token create` as Secret Token",
        "append ?aadOptscim062020 to the URL in Entra's Tenant URL field and nowhere else: it makes Entra send standard PATCH requests; Usher takes both forms",
        "map objectId to externalId for users: the default, mailNickname, is neither unique nor constant, and what is pushed and pulled meets by the object id",
        "leave displayName and objectId to externalId as they are for groups",
        "assign groups to the application only after their mapping is confirmed in Usher; members of groups inside an assigned group are not provisioned",
        "leave guests out: do not assign groups that hold guests, or add a scoping filter on the user principal name; guests get into no room",
        "Entra provisions about every 40 minutes; use provision on demand to try one person",
    ];
    let reading = [
        "register an application for reading, grant it the application permissions below and give admin consent",
        "set application_id to the application id of the enterprise application, so that Usher sees which groups are assigned",
        "grant Member.Read.Hidden too if a mapped group hides its members",
    ];
    let reading = reading.into_iter().filter(|_| pull);
    push.into_iter().chain(reading).map(String::from).collect()
}

impl Pull {
    /// Tries each permission with a call that needs it.
    pub(crate) async fn check(&self) -> Result<CheckReport, AdapterError> {
        let mut states = vec![self.try_groups().await?, self.try_users().await];
        if let Some(application) = &self.application {
            states.push(self.try_assignments(application).await);
        }
        let permissions = permissions(self.application.is_some())
            .into_iter()
            .zip(states)
            .map(|(permission, state)| PermissionCheck { permission, state })
            .collect();
        Ok(CheckReport {
            permissions,
            guidance: guidance(true),
            tenant: self.tenant_id().await,
        })
    }

    /// The first call also shows whether there is a token; without one nothing can be found out.
    async fn try_groups(&self) -> Result<PermissionState, AdapterError> {
        let url = self.graph.url(&["groups"], &[("$select", "id"), ("$top", "1")]);
        let found = self
            .graph
            .get::<Page<Identified>>(OPERATION, &url, Consistency::Strong)
            .await?;
        let group = match found {
            Found::Yes(page) => page.value.into_iter().next(),
            Found::No(refusal) if refusal.status == 403 => {
                return Ok(missing(GROUPS, "no group can be read"));
            }
            Found::No(refusal) => return Ok(PermissionState::Unknown(refusal.error.to_string())),
        };
        let Some(group) = group else {
            return Ok(PermissionState::Works);
        };
        let members = self.graph.url(
            &["groups", &group.id, "members"],
            &[("$select", "id"), ("$top", "1")],
        );
        Ok(
            match self
                .graph
                .get::<Page<IgnoredAny>>(OPERATION, &members, Consistency::Strong)
                .await
            {
                Ok(Found::Yes(_)) => PermissionState::Works,
                Ok(Found::No(refusal)) if refusal.status == 403 => missing(GROUPS, "no members can be read"),
                Ok(Found::No(refusal)) => PermissionState::Unknown(refusal.error.to_string()),
                Err(error) => PermissionState::Unknown(error.to_string()),
            },
        )
    }

    async fn try_users(&self) -> PermissionState {
        let query = [("$select", "id,userPrincipalName,accountEnabled"), ("$top", "1")];
        let url = self.graph.url(&["users"], &query);
        match self
            .graph
            .get::<Page<User>>(OPERATION, &url, Consistency::Strong)
            .await
        {
            Ok(Found::Yes(page)) if page.value.iter().all(|user| record::user(user).is_some()) => {
                PermissionState::Works
            }
            Ok(Found::Yes(_)) => missing(
                USERS,
                "users are shown without their names or without whether they are enabled",
            ),
            Ok(Found::No(refusal)) if refusal.status == 403 => missing(
                USERS,
                "members cannot be told apart and every group stays unknown",
            ),
            Ok(Found::No(refusal)) => PermissionState::Unknown(refusal.error.to_string()),
            Err(error) => PermissionState::Unknown(error.to_string()),
        }
    }

    async fn try_assignments(&self, application: &str) -> PermissionState {
        let principal = format!("servicePrincipals(appId={})", literal(application));
        let url = self
            .graph
            .url(&[&principal, "appRoleAssignedTo"], &[("$top", "1")]);
        match self
            .graph
            .get::<Page<IgnoredAny>>(OPERATION, &url, Consistency::Strong)
            .await
        {
            Ok(Found::Yes(_)) => PermissionState::Works,
            Ok(Found::No(refusal)) if refusal.status == 403 => {
                missing(APPLICATIONS, "groups count as not known to be assigned")
            }
            Ok(Found::No(refusal)) if refusal.is_not_found() => PermissionState::Unknown(format!(
                "the tenant has no enterprise application with the application id {application}; correct application_id"
            )),
            Ok(Found::No(refusal)) => PermissionState::Unknown(refusal.error.to_string()),
            Err(error) => PermissionState::Unknown(error.to_string()),
        }
    }

    /// The tenant's id: from Graph where `Organization.Read.All` allows it, else as configured if that is an id.
    async fn tenant_id(&self) -> Option<String> {
        let url = self.graph.url(&["organization"], &[("$select", "id")]);
        let found = self
            .graph
            .get::<Page<Identified>>(OPERATION, &url, Consistency::Strong)
            .await;
        let answered = match found {
            Ok(Found::Yes(page)) => page.value.into_iter().next().map(|organization| organization.id),
            _ => None,
        };
        let configured = guid(&self.tenant).map(|_| self.tenant.to_ascii_lowercase());
        answered.map(|id| id.to_ascii_lowercase()).or(configured)
    }
}

fn missing(permission: &str, breaks: &str) -> PermissionState {
    PermissionState::Missing(format!(
        "{breaks}; grant the application permission {permission} and give admin consent"
    ))
}
