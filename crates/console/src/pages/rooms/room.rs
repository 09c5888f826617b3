//! What every page of a room begins with.

use serde::Deserialize;
use usher_core::Timestamp;
use uuid::Uuid;

use super::list;
use crate::Failure;
use crate::html::{Badge, Tab, word};
use crate::visit::{Visit, segment};

/// A room with its counts.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Room {
    pub(super) id: Uuid,
    pub(super) name: String,
    model: String,
    pub(super) features: Vec<String>,
    state: String,
    url: Option<String>,
    pub(super) no_administrator_since: Option<Timestamp>,
    pub(super) created: Timestamp,
    #[serde(default)]
    counts: Counts,
    /// Whether the viewer may change memberships and the room itself.
    #[serde(skip)]
    pub(super) may_change: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Counts {
    members: i64,
    administrators: i64,
    parked: i64,
    strays: i64,
    mappings_pending: i64,
}

impl Room {
    /// Reads a room, by id or name.
    pub(super) async fn load(visit: &Visit, room: &str) -> Result<Self, Failure> {
        let mut room: Self = visit.get(format!("/rooms/{}?counts=true", segment(room))).await?;
        room.may_change = visit.may("POST", "/rooms/{room}/archive");
        Ok(room)
    }

    pub(super) fn state(&self) -> Badge {
        list::state(&self.state)
    }

    pub(super) fn is_archived(&self) -> bool {
        self.state == "archived"
    }
    pub(super) fn model(&self) -> String {
        word(&self.model)
    }

    /// The portal's address of the room, where it is one that may be a link.
    pub(super) fn address(&self) -> Option<&str> {
        self.url.as_deref().filter(|url| url.starts_with("https://"))
    }

    pub(super) fn administrators(&self) -> String {
        list::count(self.counts.administrators)
    }

    /// The room's own navigation, with the page that is shown.
    pub(super) fn tabs(&self, current: &str) -> Vec<Tab> {
        let counted = |n: i64| (n > 0).then(|| list::count(n));
        let all = [
            ("members", "", "Members", counted(self.counts.members)),
            (
                "waiting",
                "/waiting",
                "Waiting at the door",
                counted(self.counts.parked),
            ),
            ("strays", "/strays", "Strays", counted(self.counts.strays)),
            ("former", "/former", "Former members", None),
            ("history", "/history", "History", None),
            (
                "groups",
                "/groups",
                "Groups",
                counted(self.counts.mappings_pending).map(|n| format!("{n} to confirm")),
            ),
        ];
        all.into_iter()
            .filter(|(name, _, _, count)| {
                *name == current || count.is_some() || !["waiting", "strays"].contains(name)
            })
            .map(|(name, path, label, count)| Tab {
                href: format!("/rooms/{}{path}", self.id),
                label,
                count,
                current: name == current,
            })
            .collect()
    }
}
