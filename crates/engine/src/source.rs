//! Sources come with the configuration, freeze when they disappear from it, and end only by a plan that a
//! human confirmed.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::json;
use usher_core::{EndReason, MappingId, Mode, RoomId, SourceName, SourceState, Timestamp};
use usher_storage::query::source::SourceRow;
use usher_storage::{SourceKey, Tx, query};

use crate::engine::Engine;
use crate::plan::{Outcome, Premise, Sheet, Tallies, check_digest, walk_room};
use crate::policy::Policy;
use crate::settle::facts::Suppose;
use crate::unit::{About, Unit};
use crate::{EngineError, EventKind};

/// Rooms that are read together.
const ROOMS: u32 = 100;

/// A plan names so many rooms; it counts all.
const NAMED_ROOMS: usize = 100;

/// A source as the configuration has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredSource {
    /// The name.
    pub name: SourceName,
    /// The kind of its adapter.
    pub kind: String,
    /// Push, pull or both.
    pub mode: Mode,
    /// The provider's tenant or organisation, where it is configured.
    pub tenant: Option<String>,
}

/// A source as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceView {
    /// The name.
    pub name: String,
    /// The kind of its adapter.
    pub kind: String,
    /// Push, pull or both.
    pub mode: String,
    /// Whether it is listened to.
    pub state: SourceState,
    /// The provider's tenant or organisation, pinned at first use.
    pub tenant: Option<String>,
    /// When it was first configured.
    pub first_seen: Timestamp,
    /// Live accounts.
    pub users: i64,
    /// Live groups.
    pub groups: i64,
    /// Mappings that are not retired.
    pub mappings: u64,
}

/// What retiring a source would do, and the digest with which exactly this is confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RetirePlan {
    /// The source.
    pub source: String,
    /// Its state now.
    pub state: SourceState,
    /// How many mappings would be retired.
    pub mappings: u64,
    /// How many rooms it leads people to.
    pub rooms: u64,
    /// How many memberships would end, over all rooms.
    pub leaves: u64,
    /// The first of the rooms, with what would happen in each.
    pub first: Vec<RoomPlan>,
    /// What to confirm.
    pub digest: String,
}

/// What would happen in one room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoomPlan {
    /// The room.
    pub room: RoomId,
    /// Its name.
    pub name: String,
    /// What would happen to whom.
    pub people: Tallies,
}

impl Engine {
    /// Every source, configured or not, by name.
    ///
    /// # Errors
    /// What the database says.
    pub async fn sources(&self) -> Result<Vec<SourceView>, EngineError> {
        self.read(move |tx| {
            Box::pin(async move {
                let mut views = Vec::new();
                for row in query::source::all(tx).await? {
                    views.push(view(tx, row).await?);
                }
                Ok(views)
            })
        })
        .await
    }

    /// What retiring a source would do.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub async fn plan_retire_source(&self, name: SourceName) -> Result<RetirePlan, EngineError> {
        self.read_by_policy(move |tx, policy| {
            let name = name.clone();
            Box::pin(async move {
                let source = by_name(tx, &name).await?;
                plan_retire(tx, &policy, &source).await
            })
        })
        .await
    }
}

impl Unit<'_, '_> {
    /// Takes the configured sources: new ones are added, those that disappeared are frozen, frozen ones that
    /// are back are listened to again. Nobody ends by any of it. A tenant is pinned at first use.
    ///
    /// # Errors
    /// [`EngineError::Refused`]: `source_tenant_changed`, `source_retired`. Nothing is changed then.
    pub async fn register_sources(&mut self, configured: &[ConfiguredSource]) -> Result<(), EngineError> {
        for source in configured {
            self.register_source(source).await?;
        }
        let names: BTreeSet<&str> = configured.iter().map(|source| source.name.as_str()).collect();
        for row in query::source::all(self.tx).await? {
            if row.state == SourceState::Active && !names.contains(row.name.as_str()) {
                query::source::freeze(self.tx, row.key).await?;
                let next = "put it back into the configuration, or retire it";
                self.tell_source(
                    EventKind::SourceFrozen,
                    row.key,
                    &row.name,
                    &json!({ "next": next }),
                );
            }
        }
        Ok(())
    }

    async fn register_source(&mut self, source: &ConfiguredSource) -> Result<(), EngineError> {
        let known = query::source::by_name(self.tx, source.name.as_str()).await?;
        if let Some(row) = &known {
            if row.state == SourceState::Retired {
                return Err(EngineError::refused(
                    "source_retired",
                    format!("source '{}' was retired", source.name),
                    "give the source another name in the configuration",
                ));
            }
            if let (Some(pinned), Some(tenant)) = (&row.tenant, &source.tenant)
                && pinned != tenant
            {
                return Err(EngineError::refused(
                    "source_tenant_changed",
                    format!(
                        "source '{}' belongs to tenant '{pinned}', the configuration says '{tenant}'",
                        source.name
                    ),
                    "correct the tenant, or configure the other tenant as a source of its own",
                ));
            }
        }
        let mode = mode_word(source.mode);
        let current = known.as_ref().is_some_and(|row| {
            row.state == SourceState::Active && row.kind == source.kind && row.mode == mode
        });
        let key = match &known {
            Some(row) if current => row.key,
            _ => {
                let state = SourceState::Active;
                query::source::put(self.tx, source.name.as_str(), &source.kind, mode, state, self.now).await?
            }
        };
        if let Some(tenant) = &source.tenant {
            query::source::pin_tenant(self.tx, key, tenant).await?;
        }
        let data = json!({ "kind": source.kind, "mode": mode });
        match known.map(|row| row.state) {
            None => self.tell_source(EventKind::SourceAdded, key, source.name.as_str(), &data),
            Some(SourceState::Frozen) => {
                self.tell_source(EventKind::SourceThawed, key, source.name.as_str(), &data);
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Retires a source as the plan with this digest showed it: its mappings are retired, and what they alone
    /// backed ends, not braked. A room's last administrator stays and is marked. Retiring again changes
    /// nothing. A source that is still configured is refused at the next start.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], [`EngineError::PlanChanged`].
    pub async fn retire_source(&mut self, name: &SourceName, digest: &str) -> Result<(), EngineError> {
        let source = by_name(self.tx, name).await?;
        if source.state == SourceState::Retired {
            return Ok(());
        }
        let policy = std::sync::Arc::clone(&self.policy);
        let plan = plan_retire(self.tx, &policy, &source).await?;
        check_digest(digest, &plan.digest)?;
        query::source::set_state(self.tx, source.key, SourceState::Retired).await?;
        let data = json!({ "mappings": plan.mappings, "rooms": plan.rooms, "leaves": plan.leaves });
        self.tell_source(EventKind::SourceRetired, source.key, &source.name, &data);
        let mut after = None;
        let mut rooms = Vec::new();
        loop {
            let page = query::plan::rooms_of_source(self.tx, source.key, after, ROOMS).await?;
            let Some(last) = page.last() else { break };
            after = Some(*last);
            rooms.extend(page);
        }
        for mapping in query::mapping::of_source(self.tx, source.key).await? {
            let retired = self.put_retired(mapping).await?;
            self.tell_mapping(EventKind::MappingRetired, &retired, &json!({}));
        }
        for room in rooms {
            self.settle_leavers(room, EndReason::SourceRetired).await?;
        }
        Ok(())
    }

    fn tell_source(&mut self, kind: EventKind, key: SourceKey, name: &str, more: &serde_json::Value) {
        let about = About {
            source: Some(key),
            ..About::default()
        };
        let mut data = json!({ "source": name });
        if let (Some(data), Some(more)) = (data.as_object_mut(), more.as_object()) {
            data.extend(more.clone());
        }
        self.tell(kind, about, &data);
    }
}

async fn by_name(tx: &mut Tx<'_>, name: &SourceName) -> Result<SourceRow, EngineError> {
    query::source::by_name(tx, name.as_str())
        .await?
        .ok_or_else(|| EngineError::not_found("source", name))
}

async fn view(tx: &mut Tx<'_>, row: SourceRow) -> Result<SourceView, EngineError> {
    let users = query::user::count(tx, row.key).await?;
    let groups = query::group::count(tx, row.key).await?;
    let mappings = query::mapping::of_source(tx, row.key).await?.len();
    Ok(SourceView {
        name: row.name,
        kind: row.kind,
        mode: row.mode,
        state: row.state,
        tenant: row.tenant,
        first_seen: row.first_seen,
        users,
        groups,
        mappings: u64::try_from(mappings).unwrap_or(u64::MAX),
    })
}

async fn plan_retire(
    tx: &mut Tx<'_>,
    policy: &Policy,
    source: &SourceRow,
) -> Result<RetirePlan, EngineError> {
    let mappings: BTreeSet<MappingId> = query::mapping::of_source(tx, source.key)
        .await?
        .iter()
        .map(|mapping| mapping.id)
        .collect();
    let mut sheet = Sheet::new("retire source");
    sheet.note(&source.name);
    for mapping in &mappings {
        sheet.note(&mapping);
    }
    let mut plan = RetirePlan {
        source: source.name.clone(),
        state: source.state,
        mappings: u64::try_from(mappings.len()).unwrap_or(u64::MAX),
        rooms: 0,
        leaves: 0,
        first: Vec::new(),
        digest: String::new(),
    };
    let what_if = Suppose {
        retired: mappings,
        ..Suppose::default()
    };
    let mut after = None;
    loop {
        let page = query::plan::rooms_of_source(tx, source.key, after, ROOMS).await?;
        let Some(last) = page.last() else { break };
        after = Some(*last);
        for room in query::room::by_ids(tx, page).await? {
            sheet.note(&room.id);
            sheet.note(&room.state);
            let premise = Premise {
                policy,
                what_if: what_if.clone(),
                removal: EndReason::SourceRetired,
                room: room.id,
            };
            walk_room(tx, &premise, &mut sheet).await?;
            let people = sheet.take();
            plan.rooms += 1;
            plan.leaves += people.count(Outcome::Leaves);
            if plan.first.len() < NAMED_ROOMS {
                plan.first.push(RoomPlan {
                    room: room.id,
                    name: room.name,
                    people,
                });
            }
        }
    }
    plan.digest = sheet.digest();
    Ok(plan)
}

const fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Push => "push",
        Mode::Pull => "pull",
        Mode::Both => "both",
    }
}
