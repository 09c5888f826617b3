//! A provider without a network: a directory behind pages and faults.

use std::sync::{Arc, Mutex};

use http::{HeaderMap, Method};
use usher_core::{Notification, ProvisioningAdapter};
use usher_fakes::directory::Change;
use usher_fakes::{Directory, Fault, Faults, Group, Guest, IdStyle, Life, Seen, User};
use usher_testkit::{Calls, Provider, Shape};

use crate::adapter::TinyAdapter;

/// Nothing is broken.
pub(crate) const SOUND: u32 = 0;

/// The credential; it belongs to requests alone.
pub(crate) const SECRET: &str = "tiny-secret-of-the-tests";

/// What calls of the provider carry.
pub(crate) const CALL_SECRET: &str = "tiny-secret-of-the-calls";

/// The provider, with an adapter that breaks the promise that `DEFECT` names.
pub(crate) struct Tiny<const DEFECT: u32> {
    desk: Desk,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Status(u16),
    Cut,
    Silence,
}

/// Some items, and where the next ones begin.
#[derive(Debug)]
pub(crate) struct Items<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<String>,
}

/// Where requests are answered.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    directory: Directory,
    faults: Faults,
    seen: Arc<Mutex<Vec<Seen>>>,
    page_size: usize,
}

impl<const DEFECT: u32> Provider for Tiny<DEFECT> {
    const IDS: IdStyle = IdStyle::Opaque;
    const GUESTS: &'static [Guest] = &[Guest::External, Guest::ExternalMember, Guest::Internal];

    async fn start(directory: Directory, shape: Shape) -> Self {
        Self {
            desk: Desk {
                directory,
                faults: Faults::none(),
                seen: Arc::default(),
                page_size: shape.page_size,
            },
        }
    }

    fn faults(&self) -> &Faults {
        &self.desk.faults
    }

    fn seen(&self) -> Vec<Seen> {
        self.desk
            .seen
            .lock()
            .expect("nobody panics while noting a request")
            .clone()
    }

    fn adapter(&self) -> Arc<dyn ProvisioningAdapter> {
        Arc::new(TinyAdapter::new(self.desk.clone(), true, DEFECT))
    }

    fn adapter_without_pull(&self) -> Option<Arc<dyn ProvisioningAdapter>> {
        Some(Arc::new(TinyAdapter::new(self.desk.clone(), false, DEFECT)))
    }

    fn secrets(&self) -> Vec<String> {
        vec![SECRET.into(), CALL_SECRET.into()]
    }

    fn calls(&self) -> Option<Calls> {
        let call = |secret: &str, body: &str| Notification {
            headers: vec![("authorization".into(), secret.into())],
            query: Vec::new(),
            body: body.into(),
        };
        Some(Calls {
            genuine: call(CALL_SECRET, "group g1"),
            forged: call("tiny-secret-of-a-stranger", "group g1"),
            garbled: call(CALL_SECRET, "what is this"),
        })
    }
}

impl Desk {
    /// Something is written; no adapter may.
    pub(crate) fn write(&self) {
        let _refused = self.ask(Method::POST, "/groups".into());
    }

    pub(crate) fn organisation(&self) -> Result<String, Refusal> {
        self.get("/organisation").map(|_| "tiny".into())
    }

    pub(crate) fn groups(&self, after: Option<&str>) -> Result<Items<Group>, Refusal> {
        let fault = self.get("/groups")?;
        let groups = self.directory.groups_after(after, usize::MAX);
        let live = groups.into_iter().filter(|group| group.life == Life::Live);
        Ok(self.page(live.collect(), |group| group.id.to_string(), after, fault))
    }

    /// A group, and how many users are in it.
    pub(crate) fn group(&self, id: &str, nested: bool) -> Result<(Group, usize), Refusal> {
        self.get(&format!("/groups/{id}"))?;
        let group = self.live_group(id)?;
        Ok((group, self.everybody(id, nested).len()))
    }

    pub(crate) fn members(
        &self,
        id: &str,
        nested: bool,
        after: Option<&str>,
    ) -> Result<Items<User>, Refusal> {
        let fault = self.get(&format!("/groups/{id}/members"))?;
        self.live_group(id)?;
        let all = self.everybody(id, nested).into_iter();
        let rest = all.filter(|user| after.is_none_or(|after| &*user.id > after));
        Ok(self.page(rest.collect(), |user| user.id.to_string(), after, fault))
    }

    pub(crate) fn is_member(&self, id: &str, user: &str, nested: bool) -> Result<bool, Refusal> {
        self.get(&format!("/groups/{id}/members/{user}"))?;
        self.live_group(id)?;
        Ok(self
            .everybody(id, nested)
            .iter()
            .any(|member| &*member.id == user))
    }

    /// A user who is there; `None` for one who was deleted.
    pub(crate) fn user(&self, id: &str) -> Result<Option<User>, Refusal> {
        self.get(&format!("/users/{id}"))?;
        let user = self.directory.user(id).ok_or(Refusal::Status(404))?;
        Ok((user.life == Life::Live).then_some(user))
    }

    pub(crate) fn latest(&self) -> Result<u64, Refusal> {
        self.get("/changes/latest").map(|_| self.directory.sequence())
    }

    /// Changes after a number, and the number to go on from when there are more.
    pub(crate) fn changes(&self, after: u64) -> Result<Items<Change>, Refusal> {
        let fault = self.get("/changes")?;
        if fault == Some(Fault::ExpiredCheckpoint) {
            return Err(Refusal::Status(410));
        }
        let replayed = after.saturating_sub(4);
        let from = if fault == Some(Fault::Replay) {
            replayed
        } else {
            after
        };
        let number = |change: &Change| change.sequence.to_string();
        let changes = self.directory.changes_after(from, usize::MAX);
        Ok(self.page(changes, number, Some(&after.to_string()), fault))
    }

    fn live_group(&self, id: &str) -> Result<Group, Refusal> {
        let group = self.directory.group(id);
        group
            .filter(|group| group.life == Life::Live)
            .ok_or(Refusal::Status(404))
    }

    fn everybody(&self, id: &str, nested: bool) -> Vec<User> {
        let direct = || {
            self.directory
                .group(id)
                .map(|group| group.users)
                .unwrap_or_default()
        };
        let ids = if nested {
            self.directory.transitive_users(id)
        } else {
            direct()
        };
        let users = ids.iter().filter_map(|id| self.directory.user(id));
        users.filter(|user| user.life == Life::Live).collect()
    }

    fn page<T>(
        &self,
        mut items: Vec<T>,
        key: impl Fn(&T) -> String,
        after: Option<&str>,
        fault: Option<Fault>,
    ) -> Items<T> {
        let more = items.len() > self.page_size;
        items.truncate(self.page_size);
        let mut next = items.last().map(key).filter(|_| more);
        match fault {
            Some(Fault::LostPage) => items.clear(),
            Some(Fault::EmptyPage) => {
                items.clear();
                next = None;
            }
            Some(Fault::RepeatedPage) => next = Some(after.unwrap_or_default().into()),
            _ => {}
        }
        Items { items, next }
    }

    fn get(&self, path: &str) -> Result<Option<Fault>, Refusal> {
        self.ask(Method::GET, path.into())
    }

    fn ask(&self, method: Method, path: String) -> Result<Option<Fault>, Refusal> {
        let fault = self.faults.next(&path);
        self.seen
            .lock()
            .expect("nobody panics while noting a request")
            .push(Seen::now(method, path, String::new(), HeaderMap::new()));
        match fault {
            Some(Fault::Unauthorised) => Err(Refusal::Status(401)),
            Some(Fault::Forbidden) => Err(Refusal::Status(403)),
            Some(Fault::TooManyRequests(_)) => Err(Refusal::Status(429)),
            Some(Fault::ServerError(status)) => Err(Refusal::Status(status)),
            Some(Fault::CutConnection) => Err(Refusal::Cut),
            Some(Fault::NoAnswer) => Err(Refusal::Silence),
            other => Ok(other),
        }
    }
}
