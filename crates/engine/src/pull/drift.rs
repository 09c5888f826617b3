//! Where a source that is pushed and read says two things, and what a human can do about it.

use serde::Serialize;
use usher_core::{
    RemoteGroupId, RoomId, SourceGroupId, SourceName, SourceState, SourceUserId, Timestamp, WantedGroup,
};
use usher_storage::query;
use usher_storage::query::drift::DriftRow;

use crate::EngineError;
use crate::engine::Engine;

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// Reads see a member that no push named, or that a push removed.
    MissingPush,
    /// A push named a member that reads do not see.
    StalePush,
    /// One side says that the account may not be used.
    InactiveSide,
    /// A user was read and cannot be told to be the pushed one of the same name.
    NotJoined,
    /// A manual membership stands where the source wants a managed one.
    Override,
    /// The source cannot be read.
    Unreachable,
}

/// What one side said, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// What it said, in a word: `member`, `removed`, `absent`, `active`, `inactive`, `gone`.
    pub what: String,
    /// Since when, where it is known.
    pub at: Option<Timestamp>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// What differs.
    pub kind: Difference,
    /// The group.
    pub group: Option<SourceGroupId>,
    /// The group's name.
    pub group_name: Option<String>,
    /// The account.
    pub user: Option<SourceUserId>,
    /// The account's name, else the provider's id of it.
    pub user_name: Option<String>,
    /// The provider's id of the account.
    pub remote_id: Option<String>,
    /// The room, for an override.
    pub room: Option<RoomId>,
    /// What was pushed.
    pub pushed: Option<Said>,
    /// What was read.
    pub read: Option<Said>,
    /// Whether people are let in because of it or kept out: what is in effect now.
    pub in_effect: Option<bool>,
    /// What to do.
    pub next: String,
}

impl Engine {
    /// Where what was pushed and what was read of a source differ: differences of members, then of accounts, then what
    /// waits for a human, then overrides; at most `limit` of each.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub async fn drift(&self, source: SourceName, limit: u32) -> Result<Vec<Drift>, EngineError> {
        self.read(move |tx| {
            let source = source.clone();
            Box::pin(async move {
                let row = query::source::by_name(tx, source.as_str())
                    .await?
                    .ok_or_else(|| EngineError::not_found("source", &source))?;
                let mut drifts = Vec::new();
                if row.mode != "push"
                    && row.state == SourceState::Active
                    && let Some(degraded) = query::pull_run::state(tx, row.key).await?.degraded
                {
                    drifts.push(Drift {
                        kind: Difference::Unreachable,
                        read: Some(Said {
                            what: degraded.kind,
                            at: Some(degraded.since),
                        }),
                        next: format!("{}; look with `usher source check {}`", degraded.reason, row.name),
                        ..nothing()
                    });
                }
                if row.mode == "both" {
                    for member in query::drift::member_drift(tx, row.key, limit).await? {
                        drifts.push(of_member(member));
                    }
                    for (user, name, pushed, said) in query::drift::account_drift(tx, row.key, limit).await? {
                        drifts.push(of_account(user, name, pushed, &said));
                    }
                }
                for parked in query::pulled_user::parked_users(tx, row.key, "", limit).await? {
                    drifts.push(Drift {
                        kind: Difference::NotJoined,
                        user_name: Some(parked.user_name),
                        remote_id: Some(parked.remote_id),
                        read: Some(Said {
                            what: "active".into(),
                            at: Some(parked.since),
                        }),
                        next: "if both are the same person, join them with `usher source join`".into(),
                        ..nothing()
                    });
                }
                for (user, name, room) in query::drift::overrides(tx, row.key, limit).await? {
                    drifts.push(Drift {
                        kind: Difference::Override,
                        user: Some(user),
                        user_name: Some(name),
                        room: Some(room),
                        in_effect: Some(true),
                        next: "the manual membership stays until somebody ends it".into(),
                        ..nothing()
                    });
                }
                Ok(drifts)
            })
        })
        .await
    }

    /// The groups that have to be read: those that mappings which are not retired name by the provider's id.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub async fn wanted_groups(&self, source: SourceName) -> Result<Vec<WantedGroup>, EngineError> {
        self.read(move |tx| {
            let source = source.clone();
            Box::pin(async move {
                let row = query::source::by_name(tx, source.as_str())
                    .await?
                    .ok_or_else(|| EngineError::not_found("source", &source))?;
                let wanted = query::drift::wanted(tx, row.key).await?;
                Ok(wanted
                    .into_iter()
                    .filter_map(|(id, nested)| {
                        Some(WantedGroup {
                            id: RemoteGroupId::new(id).ok()?,
                            nested,
                        })
                    })
                    .collect())
            })
        })
        .await
    }
}

fn of_member(row: DriftRow) -> Drift {
    let (kind, pushed, read, next) = match (row.sides, row.dormant) {
        (2, false) => (
            Difference::MissingPush,
            "not named",
            "member",
            "nothing has to be done; if the push stays behind, look at the provisioning log of the provider",
        ),
        (2, true) => (
            Difference::MissingPush,
            "removed",
            "member",
            "if the provider still has the member, a further read brings them back; else the next read forgets it",
        ),
        (_, true) => (
            Difference::StalePush,
            "member",
            "absent",
            "remove the member at the provider's application, or push the group again",
        ),
        (_, false) => (
            Difference::StalePush,
            "member",
            "absent",
            "a second read decides; until then the member stays",
        ),
    };
    Drift {
        kind,
        group: Some(row.group),
        group_name: Some(row.group_name),
        user: Some(row.user),
        user_name: Some(row.user_name),
        pushed: Some(Said {
            what: pushed.into(),
            at: (row.sides != 2 || row.dormant).then_some(row.named),
        }),
        read: Some(Said {
            what: read.into(),
            at: row
                .doubt
                .or((row.sides == 2 && !row.dormant).then_some(row.named)),
        }),
        in_effect: Some(!row.dormant),
        next: next.into(),
        ..nothing()
    }
}

fn of_account(
    user: SourceUserId,
    name: String,
    pushed: bool,
    said: &query::pulled_user::PulledUser,
) -> Drift {
    let word = |active: bool| if active { "active" } else { "inactive" };
    Drift {
        kind: Difference::InactiveSide,
        user: Some(user),
        user_name: Some(name),
        pushed: Some(Said {
            what: word(pushed).into(),
            at: None,
        }),
        read: Some(Said {
            what: if said.gone { "gone" } else { word(said.active) }.into(),
            at: Some(said.said),
        }),
        in_effect: Some(pushed && said.is_usable()),
        next: "the side that says \"inactive\" has to take it back".into(),
        ..nothing()
    }
}

const fn nothing() -> Drift {
    Drift {
        kind: Difference::Unreachable,
        group: None,
        group_name: None,
        user: None,
        user_name: None,
        remote_id: None,
        room: None,
        pushed: None,
        read: None,
        in_effect: None,
        next: String::new(),
    }
}
