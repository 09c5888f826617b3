//! Changes since a token.
//!
//! <https://learn.microsoft.com/graph/delta-query-overview>, <https://learn.microsoft.com/graph/delta-query-groups>

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::request::{Reply, Request, literal};
use super::{Expiry, World, objects};
use crate::directory::Entry;
use crate::{Fault, Group, Life};

/// At most so many objects may be named in a filter.
const MOST_FILTERED: usize = 50;

/// What a link carries: the request it began with and how far it came.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Token {
    /// `groups` or `users`.
    kind: String,
    select: Vec<String>,
    /// The ids of the filter.
    ids: Vec<String>,
    /// Changes after this number of the log are told.
    since: u64,
    /// Where the round before began.
    before: u64,
    /// Where this round ends; a delta link has none.
    until: Option<u64>,
    /// Items of this round that were told.
    offset: usize,
    /// Whether this page was sent before.
    repeated: bool,
    /// Whether this is the round that tells what is there, not what changed.
    first: bool,
    generation: u32,
}

impl Token {
    fn read(text: &str) -> Option<Self> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }

    fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(json!(self).to_string())
    }
}

/// What of one group changed: each member and whether it came.
#[derive(Default)]
struct Touched {
    members: BTreeMap<Arc<str>, (bool, bool)>,
}

impl World {
    /// Answers `groups/delta` and `users/delta`.
    pub(super) fn delta(&self, request: &Request, kind: &str) -> Reply {
        let now = self.directory.sequence();
        let mut token = match self.delta_token(request, kind, now) {
            Ok(token) => token,
            Err(refused) => return refused,
        };
        if request.fault == Some(Fault::ExpiredCheckpoint) || token.generation != self.generation {
            return self.expired(kind);
        }
        let until = token.until.unwrap_or(now);
        let replayed = request.fault == Some(Fault::Replay) && token.until.is_none();
        let since = if replayed { token.before } else { token.since };
        let mut items = if kind == "groups" {
            self.changed_groups(&token, since, until, request.minimal)
        } else {
            self.changed_users(&token, since, until)
        };
        let size = self.options.page_size.unwrap_or(100);
        let more = items.len() > token.offset.saturating_add(size);
        items = items.into_iter().skip(token.offset).take(size).collect();
        let told = items.len();
        let mut next = more;
        match request.fault {
            Some(Fault::LostPage) => items.clear(),
            Some(Fault::EmptyPage) => {
                items.clear();
                next = false;
            }
            Some(Fault::RepeatedPage) if !token.repeated => {
                token.repeated = true;
                token.until = Some(until);
                let link = self.delta_link(kind, "$skiptoken", &token);
                return self.delta_page(kind, items, "@odata.nextLink", &link);
            }
            _ => {}
        }
        token.repeated = false;
        if next {
            token.until = Some(until);
            token.since = since;
            token.offset += told;
            let link = self.delta_link(kind, "$skiptoken", &token);
            self.delta_page(kind, items, "@odata.nextLink", &link)
        } else {
            token.before = token.since;
            token.since = until;
            token.until = None;
            token.first = false;
            token.offset = 0;
            let link = self.delta_link(kind, "$deltatoken", &token);
            self.delta_page(kind, items, "@odata.deltaLink", &link)
        }
    }

    fn delta_token(&self, request: &Request, kind: &str, now: u64) -> Result<Token, Reply> {
        let text = request.get("$skiptoken").or_else(|| request.get("$deltatoken"));
        match text {
            None | Some("latest" | "") => {}
            Some(text) => {
                return match Token::read(text) {
                    Some(token) if token.kind == kind => Ok(token),
                    _ => Err(self.expired(kind)),
                };
            }
        }
        for name in ["$top", "$orderby", "$expand", "$search"] {
            if request.get(name).is_some() {
                return Err(Reply::bad(
                    "Request_UnsupportedQuery",
                    "The query option is not supported for delta.",
                ));
            }
        }
        let ids = filtered(request.get("$filter"))?;
        let latest = text == Some("latest");
        if latest && self.options.latest_refused {
            return Err(Reply::bad(
                "Request_UnsupportedQuery",
                "The newest token is not given.",
            ));
        }
        let there = |id: &String| {
            self.directory
                .group(id)
                .is_some_and(|group| group.life == Life::Live)
        };
        if let Some(id) = ids
            .iter()
            .find(|id| self.options.refuses_unknown_ids && !there(id))
        {
            return Err(Reply::not_found(id));
        }
        let since = if latest { now } else { 0 };
        Ok(Token {
            kind: kind.into(),
            select: request.select(),
            ids,
            since,
            before: since,
            until: None,
            offset: 0,
            repeated: false,
            first: !latest,
            generation: self.generation,
        })
    }

    fn delta_link(&self, kind: &str, name: &str, token: &Token) -> String {
        format!("{}/v1.0/{kind}/delta?{name}={}", self.link_root(), token.text())
    }

    fn delta_page(&self, kind: &str, items: Vec<Map<String, Value>>, link: &str, url: &str) -> Reply {
        let value: Vec<Value> = items.into_iter().map(Value::Object).collect();
        let context = format!("{}/v1.0/$metadata#{kind}", self.root);
        Reply::ok(json!({ "@odata.context": context, link: url, "value": value }))
    }

    fn expired(&self, kind: &str) -> Reply {
        let message = "Sync state generation is not found; start again.";
        match self.options.expiry {
            Expiry::NotFound => Reply::error(StatusCode::NOT_FOUND, "syncStateNotFound", message),
            Expiry::BadRequest => Reply::error(StatusCode::BAD_REQUEST, "SyncStateNotFound", message),
            Expiry::Gone => Reply {
                location: Some(format!("{}/v1.0/{kind}/delta?$deltatoken=", self.link_root())),
                ..Reply::error(StatusCode::GONE, "resyncRequired", message)
            },
        }
    }

    fn changed_groups(
        &self,
        token: &Token,
        since: u64,
        until: u64,
        minimal: bool,
    ) -> Vec<Map<String, Value>> {
        let mut groups: BTreeMap<Arc<str>, Touched> = BTreeMap::new();
        for entry in self.entries(since, until) {
            match entry {
                Entry::Group(id) => drop(groups.entry(id).or_default()),
                Entry::Member {
                    group,
                    member,
                    is_group,
                    added,
                } => {
                    let touched = groups.entry(group).or_default();
                    touched.members.insert(member, (is_group, added));
                }
                Entry::User(_) | Entry::Assignment(_) => {}
            }
        }
        let mut items = Vec::new();
        for (id, touched) in groups {
            let wanted = token.ids.is_empty() || token.ids.iter().any(|wanted| **wanted == *id);
            if let Some(group) = self.directory.group(&id).filter(|_| wanted) {
                self.tell_group(&mut items, token, &group, touched, token.first, minimal);
            }
        }
        items
    }

    fn tell_group(
        &self,
        items: &mut Vec<Map<String, Value>>,
        token: &Token,
        group: &Group,
        mut touched: Touched,
        first: bool,
        minimal: bool,
    ) {
        if group.life != Life::Live {
            if !first {
                items.push(removed(&group.id, group.life));
            }
            return;
        }
        if self.options.restored_with_members {
            for user in &group.users {
                touched.members.entry(Arc::clone(user)).or_insert((false, true));
            }
        }
        let shown = objects::group(group, self.options.hidden.contains(&*group.id));
        let shown: Map<String, Value> = shown
            .into_iter()
            .filter(|(name, value)| {
                let chosen = token.select.is_empty() || token.select.contains(name);
                name == "id" || chosen && !value.is_null() && !minimal
            })
            .collect();
        let tracked = token.select.is_empty() || token.select.iter().any(|name| name == "members");
        let members: Vec<Value> = touched
            .members
            .into_iter()
            .filter(|(_, (_, added))| tracked && (*added || !first))
            .map(|(id, (is_group, added))| member(&id, is_group, added))
            .collect();
        if members.is_empty() {
            items.push(shown);
            return;
        }
        for part in members.chunks(self.options.delta_members.max(1)) {
            let mut item = shown.clone();
            item.insert("members@delta".into(), part.to_vec().into());
            items.push(item);
        }
    }

    fn changed_users(&self, token: &Token, since: u64, until: u64) -> Vec<Map<String, Value>> {
        let mut users: Vec<Arc<str>> = Vec::new();
        for entry in self.entries(since, until) {
            if let Entry::User(id) = entry {
                users.retain(|seen| *seen != id);
                users.push(id);
            }
        }
        let wanted = |id: &Arc<str>| token.ids.is_empty() || token.ids.iter().any(|wanted| **wanted == **id);
        let users = users.into_iter().filter(wanted);
        users
            .filter_map(|id| self.directory.user(&id))
            .filter(|user| !token.first || user.life == Life::Live)
            .map(|user| {
                if user.life != Life::Live {
                    return removed(&user.id, user.life);
                }
                let shown = objects::user(&user).into_iter();
                let chosen = |name: &String| token.select.is_empty() || token.select.contains(name);
                // What was never set is left out.
                shown
                    .filter(|(name, value)| name == "id" || chosen(name) && !value.is_null())
                    .collect()
            })
            .collect()
    }

    fn entries(&self, since: u64, until: u64) -> impl Iterator<Item = Entry> {
        let most = usize::try_from(until.saturating_sub(since)).unwrap_or(usize::MAX);
        let changes = self.directory.changes_after(since, most);
        changes.into_iter().map(|change| change.entry)
    }
}

/// The ids of `id eq '…' or id eq '…'`, the one filter that delta takes.
fn filtered(filter: Option<&str>) -> Result<Vec<String>, Reply> {
    let clauses = filter.unwrap_or_default().split(" or ");
    let mut ids = Vec::new();
    for clause in clauses.map(str::trim).filter(|clause| !clause.is_empty()) {
        let id = clause
            .strip_prefix("id eq ")
            .and_then(literal)
            .map(|id| id.to_ascii_lowercase());
        ids.push(id.ok_or_else(|| Reply::bad("Request_UnsupportedQuery", "Unsupported filter for delta."))?);
    }
    if ids.len() > MOST_FILTERED {
        return Err(Reply::bad(
            "Request_UnsupportedQuery",
            "Too many objects in the filter.",
        ));
    }
    Ok(ids)
}

fn member(id: &str, is_group: bool, added: bool) -> Value {
    let kind = if is_group { "group" } else { "user" };
    let mut member = json!({ "@odata.type": format!("#microsoft.graph.{kind}"), "id": id });
    if !added {
        member["@removed"] = json!({ "reason": "deleted" });
    }
    member
}

fn removed(id: &str, life: Life) -> Map<String, Value> {
    let reason = if life == Life::SoftDeleted {
        "changed"
    } else {
        "deleted"
    };
    let mut item = Map::new();
    item.insert("id".into(), id.into());
    item.insert("@removed".into(), json!({ "reason": reason }));
    item
}
