//! The adapter for the tiny provider, sound or with one defect.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use usher_core::{
    AdapterDescription, AdapterError, Capabilities, ChangeSink, CheckReport, Checkpoint, DirectoryChange,
    ErrorKind, GroupQuery, GroupRecord, GroupSummary, Mode, Notification, NotificationAnswer, Permission,
    PermissionCheck, PermissionState, ProvisioningAdapter, PushProfile, ReadOutcome, ReadRequest, ReadScope,
    RemoteGroupId, RemoteUserId, RetryAdvice, UnknownScope, UserRecord, WantedGroup,
};
use usher_fakes::directory::Entry;
use usher_fakes::{Group, Guest, User};

use crate::broken as defect;
use crate::provider::{CALL_SECRET, Desk, Refusal, SECRET};

/// Talks to the tiny provider.
pub(crate) struct TinyAdapter {
    desk: Desk,
    pulls: bool,
    defect: u32,
    /// How far it has read, which is none of an adapter's business.
    remembered: AtomicU64,
}

/// Where a read ended.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    v: u32,
    sequence: u64,
    /// Groups that were read, and whether with groups inside.
    groups: BTreeSet<(String, bool)>,
}

/// What a read of a part of the directory came to.
enum Part {
    Read,
    /// Nothing is known about it.
    Unseen,
}

impl fmt::Debug for TinyAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("TinyAdapter");
        if self.defect == defect::LEAKS_ITS_SECRET {
            shown.field("secret", &SECRET);
        }
        shown.finish_non_exhaustive()
    }
}

impl TinyAdapter {
    pub(crate) const fn new(desk: Desk, pulls: bool, defect: u32) -> Self {
        Self {
            desk,
            pulls,
            defect,
            remembered: AtomicU64::new(0),
        }
    }

    const fn has(&self, defect: u32) -> bool {
        self.defect == defect
    }

    /// What a refusal means for one group or user of a read.
    fn unseen(&self, refusal: Refusal) -> Result<String, AdapterError> {
        match refusal {
            Refusal::Status(status @ (403 | 404)) => Ok(format!("answered {status}")),
            other => Err(failed(other)),
        }
    }

    async fn whole_group(
        &self,
        wanted: &WantedGroup,
        sink: &mut dyn ChangeSink,
    ) -> Result<Part, AdapterError> {
        match self.pages_of_group(wanted, sink).await? {
            Ok(()) => Ok(Part::Read),
            Err(refusal) => {
                let id = &wanted.id;
                if self.has(defect::TAKES_FORBIDDEN_FOR_GONE) && refusal == Refusal::Status(403) {
                    sink.take(vec![DirectoryChange::GroupGone(id.clone())]).await?;
                    return Ok(Part::Read);
                }
                if self.has(defect::TAKES_UNKNOWN_FOR_EMPTY) && refusal == Refusal::Status(404) {
                    sink.take(vec![complete(id, true)]).await?;
                    return Ok(Part::Read);
                }
                let reason = self.unseen(refusal)?;
                sink.take(vec![unknown(UnknownScope::Group(id.clone()), reason)])
                    .await?;
                Ok(Part::Unseen)
            }
        }
    }

    async fn pages_of_group(
        &self,
        wanted: &WantedGroup,
        sink: &mut dyn ChangeSink,
    ) -> Result<Result<(), Refusal>, AdapterError> {
        let id = wanted.id.as_str();
        let (group, count) = match self.desk.group(id, wanted.nested) {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let mut changes = vec![
            DirectoryChange::GroupUpserted(Box::new(group_record(&group))),
            DirectoryChange::ApplicationAssignment {
                group: wanted.id.clone(),
                assigned: group.assigned,
            },
        ];
        let mut seen: HashSet<String> = HashSet::new();
        let mut after: Option<String> = None;
        loop {
            let page = match self.desk.members(id, wanted.nested, after.as_deref()) {
                Ok(page) => page,
                Err(Refusal::Status(503)) if self.has(defect::DROPS_A_PAGE) => {
                    changes.push(complete(&wanted.id, true));
                    sink.take(changes).await?;
                    return Ok(Ok(()));
                }
                Err(refusal) => {
                    sink.take(changes).await?;
                    return Ok(Err(refusal));
                }
            };
            if self.has(defect::COMPLETES_EARLY) && page.next.is_some() && after.is_none() {
                changes.push(complete(&wanted.id, true));
            }
            for user in &page.items {
                if !seen.insert(user.id.to_string()) && !self.has(defect::REPORTS_TWICE) {
                    continue;
                }
                let added = DirectoryChange::MemberAdded {
                    group: wanted.id.clone(),
                    member: self.id_of(user),
                };
                if self.has(defect::NAMES_BEFORE_REPORTING) {
                    changes.push(added.clone());
                }
                changes.push(DirectoryChange::UserUpserted(Box::new(self.user_record(user))));
                if !self.has(defect::NAMES_BEFORE_REPORTING) {
                    changes.push(added.clone());
                }
                if self.has(defect::REPORTS_TWICE) {
                    changes.push(added);
                }
            }
            let again = page.next.is_some() && page.next == after;
            if again || (after.is_none() && page.next.as_deref() == Some("")) {
                sink.take(changes).await?;
                return Ok(Err(Refusal::Cut));
            }
            after = page.next;
            let ended = after.is_none();
            if ended && !self.has(defect::COMPLETES_EARLY) {
                let believes = self.has(defect::BELIEVES_LAST_PAGES);
                changes.push(complete(&wanted.id, believes || seen.len() == count));
            }
            if ended || !self.has(defect::HOARDS) {
                let taken = sink.take(std::mem::take(&mut changes)).await;
                if !self.has(defect::IGNORES_ITS_SINK) {
                    taken?;
                }
            }
            if ended {
                return Ok(Ok(()));
            }
        }
    }

    async fn read_whole(
        &self,
        wanted: &[WantedGroup],
        sink: &mut dyn ChangeSink,
    ) -> Result<ReadOutcome, AdapterError> {
        // Before the groups, so that what changes meanwhile is read again.
        let sequence = self.desk.latest().map_err(failed)?;
        let mut groups = BTreeSet::new();
        for group in wanted {
            if matches!(self.whole_group(group, sink).await?, Part::Read) {
                groups.insert((group.id.as_str().to_owned(), group.nested));
            }
        }
        Ok(mark(sequence, groups))
    }

    async fn since(
        &self,
        from: Mark,
        wanted: &[WantedGroup],
        sink: &mut dyn ChangeSink,
    ) -> Result<ReadOutcome, AdapterError> {
        let key = |group: &WantedGroup| (group.id.as_str().to_owned(), group.nested);
        let (known, mut whole): (Vec<_>, Vec<_>) = wanted
            .iter()
            .cloned()
            .partition(|group| from.groups.contains(&key(group)));
        let mut groups: BTreeSet<_> = known.iter().map(key).collect();
        let remembered = self.remembered.load(Ordering::Relaxed);
        let start = if self.has(defect::REMEMBERS) {
            from.sequence.max(remembered)
        } else {
            from.sequence
        };
        let (mut asked, mut sequence) = (start, start);
        loop {
            let page = self.desk.changes(asked).map_err(|refusal| match refusal {
                Refusal::Status(410) if !self.has(defect::HIDES_EXPIRY) => expired(),
                other => failed(other),
            })?;
            let last = page.items.last().map_or(0, |change| change.sequence);
            self.remembered.fetch_max(last, Ordering::Relaxed);
            for change in &page.items {
                let seen = match &change.entry {
                    Entry::User(user) => self.user_changed(user, &known, sink).await?,
                    Entry::Group(id) | Entry::Assignment(id) => self.group_changed(id, &known, sink).await?,
                    Entry::Member {
                        group,
                        member,
                        is_group,
                        added,
                    } => {
                        whole.extend(known.iter().filter(|group| group.nested).cloned());
                        if *is_group {
                            continue;
                        }
                        self.member_changed(group, member, *added, &known, sink).await?
                    }
                };
                if matches!(seen, Part::Unseen) && !self.has(defect::FORGETS_WHAT_IT_MISSED) {
                    groups.clear();
                }
                sequence = sequence.max(change.sequence);
            }
            match page.next {
                Some(next) => {
                    asked = next.parse().map_err(|_| failed(Refusal::Cut))?;
                    sequence = sequence.max(asked);
                }
                None => break,
            }
        }
        whole.dedup_by(|a, b| a.id == b.id);
        for group in &whole {
            match self.whole_group(group, sink).await? {
                Part::Read => groups.insert(key(group)),
                Part::Unseen => groups.remove(&key(group)),
            };
        }
        Ok(mark(sequence, groups))
    }

    async fn user_changed(
        &self,
        id: &str,
        known: &[WantedGroup],
        sink: &mut dyn ChangeSink,
    ) -> Result<Part, AdapterError> {
        let user = match self.desk.user(id) {
            Ok(user) => user,
            Err(refusal) => {
                let reason = self.unseen(refusal)?;
                sink.take(vec![unknown(UnknownScope::User(user_id(id)), reason)])
                    .await?;
                return Ok(Part::Unseen);
            }
        };
        let Some(user) = user else {
            sink.take(vec![DirectoryChange::UserGone(user_id(id))]).await?;
            return Ok(Part::Read);
        };
        let mut changes = vec![DirectoryChange::UserUpserted(Box::new(self.user_record(&user)))];
        let mut part = Part::Read;
        for group in known {
            match self.desk.is_member(group.id.as_str(), id, group.nested) {
                Ok(true) => changes.push(DirectoryChange::MemberAdded {
                    group: group.id.clone(),
                    member: self.id_of(&user),
                }),
                Ok(false) => {}
                Err(refusal) => {
                    changes.push(unknown(
                        UnknownScope::Group(group.id.clone()),
                        self.unseen(refusal)?,
                    ));
                    part = Part::Unseen;
                }
            }
        }
        sink.take(changes).await?;
        Ok(part)
    }

    async fn group_changed(
        &self,
        id: &str,
        known: &[WantedGroup],
        sink: &mut dyn ChangeSink,
    ) -> Result<Part, AdapterError> {
        let Some(wanted) = known.iter().find(|group| group.id.as_str() == id) else {
            return Ok(Part::Read);
        };
        match self.desk.group(id, wanted.nested) {
            Ok((group, _)) => {
                let changes = vec![
                    DirectoryChange::GroupUpserted(Box::new(group_record(&group))),
                    DirectoryChange::ApplicationAssignment {
                        group: wanted.id.clone(),
                        assigned: group.assigned,
                    },
                ];
                sink.take(changes).await?;
                Ok(Part::Read)
            }
            Err(refusal) => {
                let reason = self.unseen(refusal)?;
                sink.take(vec![unknown(UnknownScope::Group(wanted.id.clone()), reason)])
                    .await?;
                Ok(Part::Unseen)
            }
        }
    }

    /// The log is a hint; what is true now is asked for.
    async fn member_changed(
        &self,
        group: &str,
        user: &str,
        added: bool,
        known: &[WantedGroup],
        sink: &mut dyn ChangeSink,
    ) -> Result<Part, AdapterError> {
        let Some(wanted) = known
            .iter()
            .find(|wanted| wanted.id.as_str() == group && !wanted.nested)
        else {
            return Ok(Part::Read);
        };
        let is_member = if self.has(defect::BELIEVES_THE_LOG) {
            Ok(added)
        } else {
            self.desk.is_member(group, user, false)
        };
        let member = user_id(user);
        let group = wanted.id.clone();
        let change = match is_member {
            Ok(true) => {
                let Ok(Some(user)) = self.desk.user(user) else {
                    let reason = "the member could not be read".into();
                    sink.take(vec![unknown(UnknownScope::Group(group), reason)])
                        .await?;
                    return Ok(Part::Unseen);
                };
                let upserted = DirectoryChange::UserUpserted(Box::new(self.user_record(&user)));
                let member = self.id_of(&user);
                sink.take(vec![upserted, DirectoryChange::MemberAdded { group, member }])
                    .await?;
                return Ok(Part::Read);
            }
            Ok(false) => DirectoryChange::MemberRemoved { group, member },
            Err(refusal) => {
                let reason = self.unseen(refusal)?;
                sink.take(vec![unknown(UnknownScope::Group(group), reason)])
                    .await?;
                return Ok(Part::Unseen);
            }
        };
        sink.take(vec![change]).await?;
        Ok(Part::Read)
    }

    async fn person(
        &self,
        user: &RemoteUserId,
        groups: &[WantedGroup],
        sink: &mut dyn ChangeSink,
    ) -> Result<ReadOutcome, AdapterError> {
        let id = user.as_str();
        let there = match self.desk.user(id) {
            Ok(Some(found)) => {
                let record = Box::new(self.user_record(&found));
                sink.take(vec![DirectoryChange::UserUpserted(record)]).await?;
                true
            }
            Ok(None) => {
                sink.take(vec![DirectoryChange::UserGone(user.clone())]).await?;
                false
            }
            Err(refusal) => {
                let reason = self.unseen(refusal)?;
                sink.take(vec![unknown(UnknownScope::User(user.clone()), reason)])
                    .await?;
                true
            }
        };
        for group in groups {
            let member = user.clone();
            let is_member = self.desk.is_member(group.id.as_str(), id, group.nested);
            let group = group.id.clone();
            let change = match is_member {
                Ok(true) if there => DirectoryChange::MemberAdded { group, member },
                Ok(_) => DirectoryChange::MemberRemoved { group, member },
                Err(Refusal::Status(403)) if self.has(defect::TAKES_FORBIDDEN_FOR_LEFT) => {
                    DirectoryChange::MemberRemoved { group, member }
                }
                Err(refusal) => unknown(UnknownScope::Group(group), self.unseen(refusal)?),
            };
            sink.take(vec![change]).await?;
        }
        let keeps = self.has(defect::KEEPS_A_MARK_OF_A_PERSON);
        Ok(if keeps {
            mark(0, BTreeSet::new())
        } else {
            ReadOutcome::default()
        })
    }

    fn all_groups(&self) -> Result<Vec<Group>, AdapterError> {
        let (mut groups, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.desk.groups(after.as_deref()).map_err(failed)?;
            if self.has(defect::LISTS_TWICE) {
                groups.extend(page.items.first().cloned());
            }
            groups.extend(page.items);
            if page.next.is_some() && (page.next == after || page.next.as_deref() == Some("")) {
                return Err(failed(Refusal::Cut));
            }
            after = page.next;
            if after.is_none() {
                return Ok(groups);
            }
        }
    }

    fn id_of(&self, user: &User) -> RemoteUserId {
        if self.has(defect::KNOWS_PEOPLE_BY_NAME) {
            user_id(&user.user_name)
        } else {
            user_id(&user.id)
        }
    }

    fn user_record(&self, user: &User) -> UserRecord {
        let active = user.enabled || self.has(defect::OVERLOOKS_DISABLED);
        let resource = json!({
            "userName": user.user_name,
            "displayName": user.display_name(),
            "emails": user.email.iter()
                .map(|email| json!({ "value": email, "type": "work", "primary": true }))
                .collect::<Vec<_>>(),
            "active": active,
            "externalId": &*user.id,
        });
        UserRecord {
            id: self.id_of(user),
            external_id: Some(user.id.to_string()),
            user_name: user.user_name.clone(),
            email: user.email.clone(),
            display_name: Some(user.display_name()),
            active,
            guest: user.guest != Guest::No && !self.has(defect::OVERLOOKS_GUESTS),
            resource: resource.as_object().cloned().unwrap_or_default(),
        }
    }
}

#[async_trait]
impl ProvisioningAdapter for TinyAdapter {
    fn describe(&self) -> AdapterDescription {
        AdapterDescription {
            kind: "tiny",
            modes: if self.pulls {
                vec![Mode::Push, Mode::Pull]
            } else {
                vec![Mode::Push]
            },
            capabilities: Capabilities {
                delta_reads: true,
                nested_groups: true,
                disabled_users: true,
                stable_ids: true,
                application_assignments: true,
                person_reads: true,
                notifications: true,
                max_groups_per_read: Some(100),
                permissions: if self.pulls { permissions() } else { Vec::new() },
            },
        }
    }

    fn push_profile(&self) -> PushProfile {
        PushProfile::default()
    }

    async fn check(&self) -> Result<CheckReport, AdapterError> {
        let guidance = vec!["make a token".to_owned()];
        if !self.pulls {
            return Ok(CheckReport {
                guidance,
                ..CheckReport::default()
            });
        }
        if self.has(defect::WRITES_TO_CHECK) {
            self.desk.write();
        }
        let tenant = self.desk.organisation().map_err(failed)?;
        let state = match self.desk.groups(None) {
            Ok(_) => PermissionState::Works,
            Err(Refusal::Status(403)) => PermissionState::Missing("no group can be read".into()),
            Err(refusal) => PermissionState::Unknown(format!("{refusal:?}")),
        };
        let mut found = permissions();
        if self.has(defect::LEAVES_OUT_A_PERMISSION) {
            found.clear();
        }
        let permissions = found
            .into_iter()
            .map(|permission| PermissionCheck {
                permission,
                state: state.clone(),
            })
            .collect();
        Ok(CheckReport {
            permissions,
            guidance,
            tenant: Some(tenant),
        })
    }

    async fn list_groups(&self, query: GroupQuery) -> Result<Vec<GroupSummary>, AdapterError> {
        if !self.pulls {
            return Err(AdapterError::unsupported("list_groups", "push only"));
        }
        let mut groups: Vec<_> = self
            .all_groups()?
            .into_iter()
            .filter(|group| query.id.as_ref().is_none_or(|id| id.as_str() == &*group.id))
            .filter(|group| {
                query
                    .name_prefix
                    .as_ref()
                    .is_none_or(|prefix| group.name.starts_with(prefix))
            })
            .map(|group| GroupSummary {
                id: group_id(&group.id),
                display_name: group.name,
                kind: "group".into(),
                members: None,
                guests: None,
                nested_groups: None,
                assigned: Some(group.assigned),
            })
            .collect();
        if !self.has(defect::LISTS_MORE_THAN_ASKED) {
            groups.truncate(query.limit);
        }
        Ok(groups)
    }

    async fn read(
        &self,
        request: ReadRequest,
        sink: &mut dyn ChangeSink,
    ) -> Result<ReadOutcome, AdapterError> {
        if !self.pulls {
            return Err(AdapterError::unsupported("read", "push only"));
        }
        let wanted = match request.scope {
            ReadScope::Person { user, groups } => return self.person(&user, &groups, sink).await,
            ReadScope::Groups(groups) if groups.len() > 100 => {
                return Err(AdapterError::unsupported(
                    "read",
                    "at most 100 groups in one read",
                ));
            }
            ReadScope::Groups(groups) => groups,
            ReadScope::AllGroups => self
                .all_groups()?
                .iter()
                .map(|group| WantedGroup {
                    id: group_id(&group.id),
                    nested: false,
                })
                .collect(),
        };
        match request.checkpoint {
            None => self.read_whole(&wanted, sink).await,
            Some(_) if self.has(defect::READS_ALL_AGAIN) => self.read_whole(&wanted, sink).await,
            Some(Checkpoint(text)) => {
                let mark: Mark = serde_json::from_str(&text).map_err(|_| expired())?;
                self.since(mark, &wanted, sink).await
            }
        }
    }

    async fn notification(&self, notification: Notification) -> Result<NotificationAnswer, AdapterError> {
        let right = notification.header("authorization") == Some(CALL_SECRET);
        if !right && !self.has(defect::TAKES_ANY_CALL) {
            let message = "the secret of the call is wrong";
            return Err(error(ErrorKind::Unauthorised, "notification", message));
        }
        let text = String::from_utf8_lossy(&notification.body).into_owned();
        let Some(group) = text.strip_prefix("group ") else {
            return Err(error(
                ErrorKind::Protocol,
                "notification",
                "the call is not understood",
            ));
        };
        Ok(NotificationAnswer {
            groups: vec![group_id(group)],
            ..NotificationAnswer::default()
        })
    }
}

fn permissions() -> Vec<Permission> {
    vec![Permission {
        name: "groups.read".into(),
        why: "groups and members".into(),
    }]
}

fn mark(sequence: u64, groups: BTreeSet<(String, bool)>) -> ReadOutcome {
    let mark = Mark {
        v: 1,
        sequence,
        groups,
    };
    ReadOutcome {
        checkpoint: serde_json::to_string(&mark).ok().map(Checkpoint),
    }
}

fn group_record(group: &Group) -> GroupRecord {
    let mut resource = Map::new();
    resource.insert("displayName".into(), group.name.clone().into());
    GroupRecord {
        id: group_id(&group.id),
        external_id: Some(group.id.to_string()),
        display_name: group.name.clone(),
        resource,
    }
}

fn complete(group: &RemoteGroupId, confirmed: bool) -> DirectoryChange {
    DirectoryChange::GroupMembersComplete {
        group: group.clone(),
        confirmed,
    }
}

const fn unknown(scope: UnknownScope, reason: String) -> DirectoryChange {
    DirectoryChange::Unknown { scope, reason }
}

fn failed(refusal: Refusal) -> AdapterError {
    let kind = match refusal {
        Refusal::Status(401) => ErrorKind::Unauthorised,
        Refusal::Status(403) => ErrorKind::Forbidden,
        Refusal::Status(429) => ErrorKind::RateLimited,
        Refusal::Cut => ErrorKind::Protocol,
        Refusal::Status(_) | Refusal::Silence => ErrorKind::Unavailable,
    };
    error(kind, "read", &format!("the provider answered {refusal:?}"))
}

fn expired() -> AdapterError {
    error(
        ErrorKind::CheckpointExpired,
        "read",
        "the checkpoint is not known; read from the beginning",
    )
}

fn error(kind: ErrorKind, operation: &'static str, message: &str) -> AdapterError {
    AdapterError::new(kind, RetryAdvice::Never, operation, message)
}

fn user_id(id: &str) -> RemoteUserId {
    RemoteUserId::new(id).expect("ids of the fake directory are short")
}

fn group_id(id: &str) -> RemoteGroupId {
    RemoteGroupId::new(id).expect("ids of the fake directory are short")
}
