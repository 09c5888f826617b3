//! The identity provider that is read: its directory changes all the time, and it sees who reads and when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http::header::AUTHORIZATION;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use usher_fakes::scim::{CLIENT_ID, CLIENT_SECRET, Habits, ScimServer};
use usher_fakes::{Directory, Faults, IdStyle, Life, Seen};

use super::chance::Chance;
use super::checker::{Read, State};
use super::fleet::Way;
use crate::harness::{Source, eventually};

/// The name of the source.
pub const SOURCE: &str = "directory";

/// What each read begins with.
const FIRST_REQUEST: &str = "/ServiceProviderConfig";

/// So many people its group has at most.
const PEOPLE: usize = 40;

/// A provider with one group.
#[derive(Clone)]
pub struct Provider {
    directory: Directory,
    server: ScimServer,
    /// The group's id there.
    pub group: Arc<str>,
    people: Vec<Arc<str>>,
    woken: Arc<Mutex<Vec<Woken>>>,
}

/// A caller that slept while another one took over, and had not noticed yet.
struct Woken {
    caller: String,
    from: Instant,
    to: Instant,
}

impl Provider {
    /// Starts it, with half of its people in the group.
    pub async fn start() -> Self {
        let directory = Directory::new(IdStyle::Opaque);
        let group = directory.add_group("Readers");
        directory.assign(&group, true);
        let people: Vec<_> = (0..PEOPLE)
            .map(|n| directory.add_user(&format!("reader{n}@contoso.com")))
            .collect();
        for person in people.iter().step_by(2) {
            directory.add_member(&group, person);
        }
        let habits = Habits {
            // A read takes many requests, so that another one beside it would be noticed.
            max_results: 4,
            ..Habits::default()
        };
        let server = ScimServer::start(&directory, habits, Faults::none())
            .await
            .expect("a free port");
        Self {
            directory,
            server,
            group,
            people,
            woken: Arc::default(),
        }
    }

    /// The source that reads it. Each process has access tokens of its own, by which the provider knows them apart.
    pub fn source(&self) -> Source {
        Source {
            mode: "pull".to_owned(),
            pull: "every = \"30s\"\nfull_every = \"30s\"\nsettle = \"0s\"\n".to_owned(),
            settings: format!(
                "pull = {{ base_url = \"{}\", page_size = 4, oauth = {{ token_url = \"{}\", client_id = \"{CLIENT_ID}\", \
                 client_secret = \"{CLIENT_SECRET}\" }} }}\n",
                self.server.base_url(),
                self.server.token_url()
            ),
            ..Source::named(SOURCE)
        }
    }

    /// Changes people and members and asks for reads, until it is told to stop.
    pub async fn change(self, mut api: Way, mut chance: Chance, stop: CancellationToken) {
        while !stop.is_cancelled() {
            for _ in 0..chance.between(1, 6) {
                let person = chance.one(&self.people);
                match chance.below(6) {
                    0 => self.directory.enable(person, false),
                    1..=2 => self.directory.enable(person, true),
                    3 => self.directory.remove_member(&self.group, person),
                    _ => self.directory.add_member(&self.group, person),
                }
            }
            let full = chance.below(3) == 0;
            self.read(&mut api, &json!({ "full": full })).await;
        }
    }

    /// A complete read to its end; it has to work.
    pub async fn read_all(&self, api: &mut Way) {
        let run = self.read(api, &json!({ "full": true })).await;
        assert_eq!(run["state"], "done", "{run:#}");
    }

    /// Asks for a read, and waits until it ended, however it did.
    async fn read(&self, api: &mut Way, what: &Value) -> Value {
        let path = format!("/sources/{SOURCE}/sync");
        let reply = api.ask(Method::POST, &path, Some(what)).await;
        assert_eq!(reply.status, 202, "{:#}", reply.body);
        let run = reply.body["id"].as_str().expect("the run").to_owned();
        let path = format!("/sources/{SOURCE}/runs/{run}");
        let api = tokio::sync::Mutex::new(api);
        eventually("the read to end", || async {
            let run = api.lock().await.get(&path).await;
            (!run["ended"].is_null()).then_some(run)
        })
        .await
    }

    /// Forgets who read so far.
    pub fn forget(&self) {
        self.server.served().forget();
    }

    /// Who asked last, before a moment.
    pub fn caller(&self, before: Instant) -> Option<String> {
        let seen = self.server.served().seen();
        let seen = seen.iter().filter(|seen| seen.began < before);
        seen.rev().find_map(caller)
    }

    /// A caller slept and went on at one moment, and knew at another that it does not read any more. What it asks for
    /// between the two is no read: it is not written down.
    pub fn had_not_noticed(&self, caller: String, from: Instant, to: Instant) {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        woken.push(Woken { caller, from, to });
    }

    /// Who read, and when.
    pub fn reads(&self) -> Vec<Read> {
        let mut reads = Vec::new();
        let mut open: BTreeMap<String, Read> = BTreeMap::new();
        let woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        for seen in self.server.served().seen() {
            let Some(caller) = caller(&seen) else {
                continue;
            };
            let had_not_noticed =
                |one: &Woken| one.caller == caller && one.from <= seen.began && seen.began <= one.to;
            if woken.iter().any(had_not_noticed) {
                continue;
            }
            let ended = seen.ended().unwrap_or_else(Instant::now);
            if seen.path.ends_with(FIRST_REQUEST) {
                reads.extend(open.remove(&caller));
            }
            let read = open.entry(caller.clone()).or_insert_with(|| Read {
                caller,
                began: seen.began,
                ended,
            });
            read.ended = ended.max(read.ended);
        }
        reads.extend(open.into_values());
        reads
    }

    /// Whoever counts in the group at the provider, and whoever counts in it in the database; by the provider's ids.
    pub fn compare(&self, state: &State) -> (BTreeSet<String>, BTreeSet<String>) {
        let group = self.directory.group(&self.group).expect("nobody deletes it");
        let here = group
            .users
            .iter()
            .filter_map(|user| self.directory.user(user))
            .filter(|user| user.enabled && user.life == Life::Live)
            .map(|user| user.id.to_string())
            .collect();
        let is_ours =
            |group: &&super::checker::Group| !group.gone && group.remote.as_deref() == Some(&*self.group);
        let found = state.groups.iter().find(|(_, group)| is_ours(group));
        let there = found.map(|(group, _)| {
            let members = state.members_of(group).filter(|(dormant, _)| !dormant);
            let users = members.filter_map(|(_, user)| state.users.get(user));
            users
                .filter(|user| user.active && !user.gone)
                .filter_map(|user| user.remote.clone())
                .collect()
        });
        (here, there.unwrap_or_default())
    }
}

/// Whose access token a request has.
fn caller(seen: &Seen) -> Option<String> {
    let token = seen.headers.get(AUTHORIZATION)?.to_str().ok()?;
    token.starts_with("Bearer ").then(|| token.to_owned())
}
