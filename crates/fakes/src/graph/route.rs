//! Which answer belongs to which path, and which permission it needs.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::objects::{self, selected, typed};
use super::page::{Slice, cut};
use super::request::{Reply, Request, is_guid, literal, passes};
use super::{Counts, MemberSelect, World};
use crate::{Life, User};

/// At most so many groups in one `checkMemberGroups`, and so many requests in one batch.
const MOST_TOGETHER: usize = 20;

/// Each permission that opens a door, the least first.
const GROUPS: &[&str] = &["GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"];
const DELETED_GROUPS: &[&str] = &["Group.Read.All", "Directory.Read.All"];
const USERS: &[&str] = &["User.Read.All", "Directory.Read.All"];
const APPLICATIONS: &[&str] = &["Application.Read.All", "Directory.Read.All"];
const ORGANIZATION: &[&str] = &["Organization.Read.All", "Directory.Read.All"];

/// Answers a request that is authenticated.
pub(super) fn answer(world: &mut World, request: &Request) -> Reply {
    let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    if request.post {
        return match segments.as_slice() {
            ["$batch"] => batch(world, request),
            ["users", id, "checkMemberGroups"] => world.check_member_groups(request, id),
            _ => unknown(),
        };
    }
    match segments.as_slice() {
        ["groups"] => world.groups(request),
        ["groups", "delta"] => world.behind(GROUPS, || world.delta(request, "groups")),
        ["groups", id] => world.group(request, id),
        [
            "groups",
            id,
            relation @ ("members" | "transitiveMembers"),
            rest @ ..,
        ] => world.members(request, id, *relation == "transitiveMembers", rest),
        ["users"] => world.users(request),
        ["users", "delta"] => world.behind(USERS, || world.delta(request, "users")),
        ["users", id] => world.user(request, id),
        ["directory", "deletedItems", id] => world.deleted(request, id),
        ["organization"] => world.organization(request),
        [principal, "appRoleAssignedTo"] => world.assignments(request, principal),
        _ => unknown(),
    }
}

fn unknown() -> Reply {
    Reply::bad("BadRequest", "Resource not found for the segment.")
}

/// Several requests in one: <https://learn.microsoft.com/graph/json-batching>.
fn batch(world: &mut World, request: &Request) -> Reply {
    let requests = request.body["requests"].as_array().cloned().unwrap_or_default();
    if requests.is_empty() || requests.len() > MOST_TOGETHER {
        return Reply::bad("BadRequest", "A batch holds 1 to 20 requests.");
    }
    let mut responses: Vec<Value> = requests
        .iter()
        .map(|one| {
            let reply = batched(world, request, one);
            json!({
                "id": one["id"],
                "status": reply.status.as_u16(),
                "headers": if reply.status == StatusCode::TOO_MANY_REQUESTS {
                    json!({ "Retry-After": "7" })
                } else {
                    json!({ "Content-Type": "application/json" })
                },
                "body": reply.body,
            })
        })
        .collect();
    // They come in any order.
    responses.reverse();
    Reply::ok(json!({ "responses": responses }))
}

fn batched(world: &mut World, outer: &Request, one: &Value) -> Reply {
    if world.options.throttled_in_batch > 0 {
        world.options.throttled_in_batch -= 1;
        return Reply::error(
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyRequests",
            "Too many requests.",
        );
    }
    let url = one["url"].as_str().unwrap_or_default();
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let mut request = Request::new(path, query);
    request.post = one["method"] == "POST";
    request.body = one["body"].clone();
    request.eventual = one["headers"]["ConsistencyLevel"] == "eventual";
    request.fault = outer.fault;
    if request.segments.first().is_some_and(|first| first == "$batch") {
        return unknown();
    }
    answer(world, &request)
}

impl World {
    fn may(&self, any_of: &[&str]) -> bool {
        any_of.iter().any(|name| self.options.permissions.contains(*name))
    }

    fn behind(&self, any_of: &[&str], answer: impl FnOnce() -> Reply) -> Reply {
        if self.may(any_of) {
            answer()
        } else {
            Reply::denied()
        }
    }

    fn hides(&self, group: &str) -> bool {
        self.options.hidden.contains(group)
    }

    fn groups(&self, request: &Request) -> Reply {
        if !self.may(GROUPS) {
            return Reply::denied();
        }
        let select = request.select();
        let mut all = Vec::new();
        for group in self.directory.groups_after(None, usize::MAX) {
            if group.life == Life::Live {
                all.push(objects::group(&group, self.hides(&group.id)));
            }
        }
        self.list(request, "groups", all, &select, false)
    }

    fn users(&self, request: &Request) -> Reply {
        if !self.may(USERS) {
            return Reply::denied();
        }
        let select = request.select();
        if request.get("$filter").is_some() {
            let all = self.live_users().map(|user| objects::user(&user)).collect();
            return self.list(request, "users", all, &select, true);
        }
        let shown = |user: User| selected(objects::user(&user), &select, true);
        if let Some(Err(name)) = self.live_users().next().map(shown) {
            return no_property(&name);
        }
        let total = || self.live_users().count();
        self.page(request, "users", total, |offset, size| {
            let mut users = self.live_users().skip(offset);
            let items = users.by_ref().take(size).filter_map(|user| shown(user).ok());
            Slice {
                items: items.collect(),
                more: users.next().is_some(),
            }
        })
    }

    /// The users that are there, in the order of their ids, a part of them at a time.
    fn live_users(&self) -> impl Iterator<Item = User> + '_ {
        let mut after: Option<Arc<str>> = None;
        let parts = std::iter::from_fn(move || {
            let part = self.directory.users_after(after.as_deref(), 1000);
            after = Some(Arc::clone(&part.last()?.id));
            Some(part)
        });
        parts.flatten().filter(|user| user.life == Life::Live)
    }

    fn list(
        &self,
        request: &Request,
        context: &str,
        mut all: Vec<Map<String, Value>>,
        select: &[String],
        is_user: bool,
    ) -> Reply {
        if let Some(filter) = request.get("$filter") {
            if all.iter().any(|object| passes(filter, object).is_none()) {
                return Reply::bad(
                    "Request_UnsupportedQuery",
                    "Unsupported or invalid query filter clause.",
                );
            }
            all.retain(|object| passes(filter, object) == Some(true));
        }
        let mut shown = Vec::with_capacity(all.len());
        for object in all {
            match selected(object, select, is_user) {
                Ok(object) => shown.push(object),
                Err(name) => return no_property(&name),
            }
        }
        let total = shown.len();
        self.page(
            request,
            context,
            || total,
            |offset, size| cut(shown, offset, size),
        )
    }

    fn group(&self, request: &Request, id: &str) -> Reply {
        if !self.may(GROUPS) {
            return Reply::denied();
        }
        match self.directory.group(id).filter(|group| group.life == Life::Live) {
            Some(group) => self.entity("groups", objects::group(&group, self.hides(id)), request, false),
            None => missing(id),
        }
    }

    fn user(&self, request: &Request, id: &str) -> Reply {
        if !self.may(USERS) {
            return Reply::denied();
        }
        match self.directory.user(id).filter(|user| user.life == Life::Live) {
            Some(user) => self.entity("users", objects::user(&user), request, true),
            None => missing(id),
        }
    }

    /// The recycle bin: <https://learn.microsoft.com/graph/api/directory-deleteditems-get>.
    fn deleted(&self, request: &Request, id: &str) -> Reply {
        let context = "directoryObjects";
        if let Some(user) = self
            .directory
            .user(id)
            .filter(|user| user.life == Life::SoftDeleted)
        {
            return self.behind(USERS, || {
                self.typed_entity(context, "user", objects::user(&user), request)
            });
        }
        let is_group = self.directory.group(id).is_some();
        if !self.may(DELETED_GROUPS) && (is_group || !self.may(USERS)) {
            return Reply::denied();
        }
        match self
            .directory
            .group(id)
            .filter(|group| group.life == Life::SoftDeleted)
        {
            Some(group) => {
                self.typed_entity(context, "group", objects::group(&group, self.hides(id)), request)
            }
            None => missing(id),
        }
    }

    fn typed_entity(
        &self,
        context: &str,
        kind: &str,
        object: Map<String, Value>,
        request: &Request,
    ) -> Reply {
        match selected(object, &request.select(), kind == "user") {
            Ok(object) => self.single(context, typed(kind, object)),
            Err(name) => no_property(&name),
        }
    }

    fn entity(&self, context: &str, object: Map<String, Value>, request: &Request, is_user: bool) -> Reply {
        match selected(object, &request.select(), is_user) {
            Ok(object) => self.single(context, object),
            Err(name) => no_property(&name),
        }
    }

    fn single(&self, context: &str, object: Map<String, Value>) -> Reply {
        let mut body = Map::new();
        let context = format!("{}/v1.0/$metadata#{context}/$entity", self.root);
        body.insert("@odata.context".into(), context.into());
        body.extend(object);
        Reply::ok(Value::Object(body))
    }

    fn organization(&self, request: &Request) -> Reply {
        if !self.may(ORGANIZATION) {
            return Reply::denied();
        }
        let organization =
            json!({ "id": self.options.tenant, "displayName": "Contoso", "deletedDateTime": null });
        let all = organization.as_object().cloned().into_iter().collect();
        self.page(
            request,
            "organization",
            || 1,
            |offset, size| cut(all, offset, size),
        )
    }

    /// Who is assigned: <https://learn.microsoft.com/graph/api/serviceprincipal-list-approleassignedto>.
    fn assignments(&self, request: &Request, principal: &str) -> Reply {
        let Some(application) = principal
            .strip_prefix("servicePrincipals(appId=")
            .and_then(|rest| rest.strip_suffix(')'))
            .and_then(literal)
        else {
            return unknown();
        };
        if !self.may(APPLICATIONS) {
            return Reply::denied();
        }
        if application != self.options.application_id {
            return missing(&application);
        }
        let groups = self.directory.groups_after(None, usize::MAX).into_iter();
        let all: Vec<_> = groups
            .filter(|group| group.assigned && group.life == Life::Live)
            .filter_map(|group| {
                let row = json!({
                    "appRoleId": "00000000-0000-0000-0000-000000000000",
                    "createdDateTime": "2026-01-01T00:00:00Z",
                    "deletedDateTime": null,
                    "id": format!("assignment-{}", group.id),
                    "principalDisplayName": group.name,
                    "principalId": &*group.id,
                    "principalType": "Group",
                    "resourceDisplayName": "Board portal",
                    "resourceId": "d3b64f19-0a31-4b35-8f43-8e0c6a3b9f77",
                });
                row.as_object().cloned()
            })
            .collect();
        if request.counts() && self.options.counts == Counts::Refused {
            return Reply::bad("Request_UnsupportedQuery", "$count is not supported.");
        }
        let total = all.len();
        self.page(
            request,
            "appRoleAssignments",
            || total,
            |offset, size| cut(all, offset, size),
        )
    }

    /// In which of some groups a user is, transitively:
    /// <https://learn.microsoft.com/graph/api/directoryobject-checkmembergroups>.
    fn check_member_groups(&self, request: &Request, id: &str) -> Reply {
        if !self.may(USERS) || !self.may(GROUPS) {
            return Reply::denied();
        }
        if self.directory.user(id).is_none_or(|user| user.life != Life::Live) {
            return missing(id);
        }
        let asked: Vec<&str> = request.body["groupIds"]
            .as_array()
            .map(|ids| ids.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        if asked.is_empty() || asked.len() > MOST_TOGETHER {
            return Reply::bad("Request_BadRequest", "groupIds must hold 1 to 20 ids.");
        }
        if asked.iter().any(|id| !is_guid(id)) {
            return Reply::bad("Request_BadRequest", "Invalid object identifier.");
        }
        let hidden = !self.options.permissions.contains("Member.Read.Hidden");
        let groups: Vec<&str> = asked
            .into_iter()
            .filter(|group| !(hidden && self.hides(&group.to_ascii_lowercase())))
            .filter(|group| {
                self.directory
                    .transitive_users(&group.to_ascii_lowercase())
                    .contains(id)
            })
            .collect();
        let context = format!("{}/v1.0/$metadata#Collection(Edm.String)", self.root);
        Reply::ok(json!({ "@odata.context": context, "value": groups }))
    }

    /// `members` and `transitiveMembers`, their casts and their counts:
    /// <https://learn.microsoft.com/graph/api/group-list-members>.
    fn members(&self, request: &Request, id: &str, nested: bool, rest: &[&str]) -> Reply {
        if !self.may(GROUPS) {
            return Reply::denied();
        }
        if self
            .directory
            .group(id)
            .is_none_or(|group| group.life != Life::Live)
        {
            return missing(id);
        }
        let closed = self.hides(id) && !self.options.permissions.contains("Member.Read.Hidden");
        if closed && !self.options.hidden_reads_empty {
            return Reply::denied();
        }
        let (kind, count) = match rest {
            [] => (None, false),
            ["$count"] => (None, true),
            ["microsoft.graph.user"] => (Some("user"), false),
            ["microsoft.graph.user", "$count"] => (Some("user"), true),
            ["microsoft.graph.group"] => (Some("group"), false),
            ["microsoft.graph.group", "$count"] => (Some("group"), true),
            _ => return Reply::bad("Request_UnsupportedQuery", "Unsupported member type."),
        };
        let advanced = kind.is_some() || count || request.get("$filter").is_some();
        if advanced && !(request.eventual && (count || request.counts())) {
            return Reply::bad(
                "Request_UnsupportedQuery",
                "The query needs the header ConsistencyLevel: eventual and $count=true.",
            );
        }
        if (count || request.counts()) && self.options.counts == Counts::Refused {
            return Reply::bad("Request_UnsupportedQuery", "$count is not supported.");
        }
        let select = request.select();
        if kind.is_none() && !select.is_empty() && self.options.member_select == MemberSelect::Refused {
            return no_property(&select[0]);
        }
        if count && request.get("$filter").is_none() {
            let all = self.listed_members(id, nested).filter(|_| !closed);
            let number = all
                .filter(|member| kind.is_none_or(|kind| kind == member.0))
                .count();
            return Reply::ok(json!(self.counted(number)));
        }
        if advanced {
            let all = if closed {
                Vec::new()
            } else {
                self.all_members(id, nested, kind)
            };
            return self.shown_members(request, all, kind, count);
        }
        let total = || 0;
        self.page(request, "directoryObjects", total, |offset, size| {
            if closed {
                return cut(Vec::new(), offset, size);
            }
            let mut members = self.listed_members(id, nested).skip(offset);
            let items = members
                .by_ref()
                .take(size)
                .filter_map(|member| self.member(&member))
                .map(|member| self.shown(member, &select, kind))
                .collect();
            Slice {
                items,
                more: members.next().is_some(),
            }
        })
    }

    fn shown_members(
        &self,
        request: &Request,
        mut all: Vec<Map<String, Value>>,
        kind: Option<&str>,
        count: bool,
    ) -> Reply {
        if let Some(filter) = request.get("$filter") {
            if all.iter().any(|object| passes(filter, object).is_none()) {
                return Reply::bad(
                    "Request_UnsupportedQuery",
                    "Unsupported or invalid query filter clause.",
                );
            }
            all.retain(|object| passes(filter, object) == Some(true));
        }
        if count {
            return Reply::ok(json!(self.counted(all.len())));
        }
        let select = request.select();
        let total = all.len();
        let items = all
            .into_iter()
            .map(|member| self.shown(member, &select, kind))
            .collect();
        let context = if kind == Some("group") { "groups" } else { "users" };
        self.page(
            request,
            context,
            || total,
            |offset, size| cut(items, offset, size),
        )
    }

    /// A member as it is shown: with the selected properties, or with nulls where a permission is missing.
    fn shown(&self, member: Map<String, Value>, select: &[String], cast: Option<&str>) -> Map<String, Value> {
        let is_user = member
            .get("@odata.type")
            .is_some_and(|kind| kind == "#microsoft.graph.user");
        let honoured = cast.is_some() || self.options.member_select == MemberSelect::Honoured;
        let select: &[String] = if honoured { select } else { &[] };
        let known = |name: &String| member.contains_key(name);
        // A property that only some types have is left out for the others.
        let select: Vec<String> = select.iter().filter(|name| known(name)).cloned().collect();
        let kind = member.get("@odata.type").cloned();
        let mut shown = selected(member, &select, is_user).unwrap_or_default();
        if let Some(kind) = kind.filter(|_| cast.is_none() || !shown.contains_key("@odata.type")) {
            let mut typed = Map::new();
            typed.insert("@odata.type".into(), kind);
            shown.remove("@odata.type");
            typed.extend(shown);
            shown = typed;
        }
        if is_user && !self.may(USERS) {
            objects::limited(&shown)
        } else {
            shown
        }
    }

    fn all_members(&self, id: &str, nested: bool, kind: Option<&str>) -> Vec<Map<String, Value>> {
        let all = self.listed_members(id, nested);
        all.filter(|member| kind.is_none_or(|kind| kind == member.0))
            .filter_map(|member| self.member(&member))
            .collect()
    }

    /// Types and ids of members: users first, then groups. Nothing is rendered yet, because a page shows few of them.
    fn listed_members(&self, id: &str, nested: bool) -> impl Iterator<Item = (&'static str, Arc<str>)> + '_ {
        let (users, groups) = if nested {
            let inner = self.inner_groups(id);
            (self.directory.transitive_users(id), inner)
        } else {
            let group = self.directory.group(id);
            group.map_or_else(Default::default, |group| {
                (group.users, group.groups.into_iter().collect())
            })
        };
        let users = users
            .into_iter()
            .filter(|id| match self.directory.user_life(id) {
                Some(Life::Live) => true,
                Some(Life::SoftDeleted) => self.options.lists_deleted_members,
                Some(Life::Deleted) | None => false,
            })
            .map(|id| ("user", id));
        let groups = groups
            .into_iter()
            .filter(|id| self.directory.group_life(id) == Some(Life::Live))
            .map(|id| ("group", id));
        users.chain(groups)
    }

    fn member(&self, (kind, id): &(&'static str, Arc<str>)) -> Option<Map<String, Value>> {
        let object = if *kind == "user" {
            objects::user(&self.directory.user(id)?)
        } else {
            objects::group(&self.directory.group(id)?, self.hides(id))
        };
        Some(typed(kind, object))
    }

    fn inner_groups(&self, id: &str) -> Vec<Arc<str>> {
        let mut seen: Vec<Arc<str>> = Vec::new();
        let mut open: Vec<Arc<str>> = vec![id.into()];
        while let Some(next) = open.pop() {
            let live = self
                .directory
                .group(&next)
                .filter(|group| group.life == Life::Live);
            for inner in live.into_iter().flat_map(|group| group.groups) {
                if *inner != *id && !seen.contains(&inner) {
                    seen.push(Arc::clone(&inner));
                    open.push(inner);
                }
            }
        }
        seen.sort();
        seen
    }
}

fn missing(id: &str) -> Reply {
    Reply::not_found(id)
}

fn no_property(name: &str) -> Reply {
    let message = format!("Could not find a property named '{name}' on the type.");
    Reply::bad("Request_BadRequest", &message)
}
