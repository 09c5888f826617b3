//! Reading from scim2-server, a SCIM service provider that is not ours, filled by scim2-client.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use async_trait::async_trait;
use serde_json::{Value, json};
use usher_adapter_scim::{ScimAdapter, ScimConfig};
use usher_core::{
    AdapterError, ChangeSink, Checkpoint, DirectoryChange, GroupQuery, PermissionState,
    ProvisioningAdapter as _, ReadOutcome, ReadRequest, ReadScope, RemoteGroupId, RemoteUserId, WantedGroup,
};

use crate::harness::{Client, Config, Order, Scim2, World, eventually, python};

const TOKEN: &str = "a-token-for-scim2-server";

/// A running scim2-server and the client that fills it; gone with the test.
struct Provider {
    child: Child,
    base_url: String,
    filler: Scim2,
}

impl Provider {
    fn start(python: &Path, habits: &[&str]) -> Self {
        let mut child = Command::new(python)
            .args([
                "-B",
                concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/python/provider.py"),
            ])
            .args(habits)
            .env("SCIM_TOKEN", TOKEN)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", python.display()));
        let mut line = String::new();
        let output = child.stdout.take().expect("standard output is piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let said: Value = serde_json::from_str(&line).expect("where it listens; what else it said is above");
        let base_url = said["base_url"].as_str().expect("a URL").to_owned();
        let filler = Scim2::connect(python, &base_url, TOKEN);
        Self {
            child,
            base_url,
            filler,
        }
    }

    /// It answers a PATCH without a body.
    fn deactivate(&mut self, user: &str) {
        let operations = json!([{ "op": "replace", "path": "active", "value": false }]);
        self.filler.modify("User", user, &operations).expect(204);
    }

    fn adapter(&self) -> ScimAdapter {
        let settings = json!({"pull": {"base_url": self.base_url, "bearer_token": TOKEN}});
        let config: ScimConfig = serde_json::from_value(settings).expect("known settings");
        ScimAdapter::new(&config).expect("settings that can work")
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What reads have said: groups with their members' names and whether they are active, and what was not seen.
#[derive(Default)]
struct Believed {
    users: BTreeMap<String, (String, bool)>,
    groups: BTreeMap<String, Vec<String>>,
    unknown: Vec<String>,
}

#[async_trait]
impl ChangeSink for Believed {
    async fn take(&mut self, changes: Vec<DirectoryChange>) -> Result<(), AdapterError> {
        for change in changes {
            match change {
                DirectoryChange::UserUpserted(user) => {
                    let state = (user.user_name.clone(), user.active);
                    self.users.insert(user.id.as_str().to_owned(), state);
                }
                DirectoryChange::UserGone(user) => {
                    self.users.remove(user.as_str());
                }
                DirectoryChange::GroupUpserted(group) => {
                    self.groups.insert(group.id.as_str().to_owned(), Vec::new());
                }
                DirectoryChange::MemberAdded { group, member } => {
                    let members = self.groups.entry(group.as_str().to_owned()).or_default();
                    members.push(member.as_str().to_owned());
                }
                DirectoryChange::MemberRemoved { group, member } => {
                    let members = self.groups.entry(group.as_str().to_owned()).or_default();
                    members.retain(|id| id != member.as_str());
                }
                DirectoryChange::GroupMembersComplete { group, confirmed } => {
                    assert!(confirmed, "group {group} is not confirmed");
                }
                DirectoryChange::Unknown { reason, .. } => self.unknown.push(reason),
                other => panic!("not expected: {other:?}"),
            }
        }
        Ok(())
    }
}

impl Believed {
    /// Names of those in a group who may use their accounts, sorted.
    fn inside(&self, group: &str) -> Vec<&str> {
        let members = self.groups[group].iter().filter_map(|id| self.users.get(id));
        let mut names: Vec<_> = members
            .filter(|(_, active)| *active)
            .map(|(name, _)| name.as_str())
            .collect();
        names.sort_unstable();
        names
    }

    async fn read(
        &mut self,
        provider: &Provider,
        scope: ReadScope,
        checkpoint: Option<Checkpoint>,
    ) -> ReadOutcome {
        let request = ReadRequest { scope, checkpoint };
        let outcome = provider.adapter().read(request, self).await;
        assert_eq!(self.unknown, [""; 0]);
        outcome.expect("a read that works")
    }
}

fn wanted(groups: &[&str]) -> ReadScope {
    ReadScope::Groups(
        groups
            .iter()
            .map(|id| WantedGroup {
                id: RemoteGroupId::new(*id).expect("an id"),
                nested: false,
            })
            .collect(),
    )
}

/// Reads everything, then a change, at a provider with these habits.
async fn everything_and_then_a_change(habits: &[&str]) {
    let Some(python) = python() else { return };
    let mut provider = Provider::start(&python, habits);
    let names = ["ann", "bob", "cem", "dana", "eve"].map(|name| format!("{name}@contoso.com"));
    let people: Vec<String> = names
        .iter()
        .map(|name| provider.filler.create_user(name))
        .collect();
    let ids: Vec<&str> = people.iter().map(String::as_str).collect();
    let board = provider.filler.create_group("Board", &ids[..4]);
    let audit = provider.filler.create_group("Audit", &ids[3..]);
    let empty = provider.filler.create_group("Nobody yet", &[]);

    let report = provider.adapter().check().await.expect("a report");
    for check in &report.permissions {
        assert_eq!(check.state, PermissionState::Works, "{}", check.permission.name);
    }
    let query = |name_prefix: Option<&str>| GroupQuery {
        name_prefix: name_prefix.map(str::to_owned),
        limit: 10,
        ..GroupQuery::default()
    };
    let all = provider.adapter().list_groups(query(None)).await.expect("a list");
    assert_eq!(all.len(), 3);
    let some = provider
        .adapter()
        .list_groups(query(Some("boa")))
        .await
        .expect("a list");
    assert_eq!(
        some.iter().map(|group| group.id.as_str()).collect::<Vec<_>>(),
        [board.as_str()]
    );

    let scope = || wanted(&[&board, &audit, &empty]);
    let mut believed = Believed::default();
    let outcome = believed.read(&provider, scope(), None).await;
    assert_eq!(believed.inside(&board), &names[..4]);
    assert_eq!(believed.inside(&audit), &names[3..]);
    assert_eq!(believed.inside(&empty), [""; 0]);
    assert_eq!(outcome.checkpoint.is_some(), !habits.contains(&"unfiltered"));

    provider.filler.add_members(&empty, &[&people[0]]);
    provider.filler.remove_members(&board, &[&people[1]]);
    provider.deactivate(&people[2]);
    let checkpoint = believed
        .read(&provider, scope(), outcome.checkpoint)
        .await
        .checkpoint;
    assert_eq!(believed.inside(&board), [names[0].as_str(), names[3].as_str()]);
    assert_eq!(believed.inside(&empty), [names[0].as_str()]);

    let mut unchanged = Believed::default();
    unchanged.read(&provider, scope(), checkpoint.clone()).await;
    assert_eq!(
        unchanged.groups.is_empty(),
        checkpoint.is_some(),
        "only what changed is read again"
    );

    let mut everything = Believed::default();
    everything.read(&provider, ReadScope::AllGroups, None).await;
    assert_eq!(everything.groups.len(), 3);
    assert_eq!(everything.inside(&audit), &names[3..]);

    let person = |group: &str| ReadScope::Person {
        user: RemoteUserId::new(people[1].as_str()).expect("an id"),
        groups: vec![WantedGroup {
            id: RemoteGroupId::new(group).expect("an id"),
            nested: false,
        }],
    };
    let mut bob = Believed::default();
    bob.read(&provider, person(&board), None).await;
    assert_eq!(bob.inside(&board), [""; 0]);

    // It leaves a deleted user in its groups; without a filter nothing could confirm that the user is gone.
    if !habits.contains(&"unfiltered") {
        provider.filler.delete("User", &people[4]).expect(204);
        believed.read(&provider, scope(), None).await;
        assert_eq!(believed.inside(&audit), [names[3].as_str()]);
        let shown = provider.filler.read("Group", &audit).expect(200);
        assert_eq!(
            shown.list("/members").len(),
            2,
            "the deleted user still stands in the group"
        );
    }
}

#[tokio::test]
async fn scim2_server_is_read_by_index() {
    everything_and_then_a_change(&[]).await;
}

#[tokio::test]
async fn scim2_server_is_read_by_cursor() {
    everything_and_then_a_change(&["cursor"]).await;
}

#[tokio::test]
async fn scim2_server_is_read_without_filters() {
    everything_and_then_a_change(&["unfiltered"]).await;
}

/// Asks the binary for a complete read, and waits for its end.
async fn synchronise(api: &Client) {
    let run = api
        .post("/sources/idp/sync", &json!({ "full": true }))
        .await
        .expect(202)
        .id();
    let path = format!("/sources/idp/runs/{run}");
    let run = eventually("the read to end", || async {
        let run = api.get(&path).await.expect(200).body;
        (!run["ended"].is_null()).then_some(run)
    })
    .await;
    assert_eq!(run["state"], "done", "{run:#}");
}

#[tokio::test]
async fn people_get_into_a_room_and_out_of_it_by_reading_scim2_server() {
    let Some(python) = python() else { return };
    let mut provider = Provider::start(&python, &["cursor"]);
    let ada = provider.filler.create_user("ada@contoso.com");
    let ben = provider.filler.create_user("ben@contoso.com");
    let board = provider.filler.create_group("Board members", &[&ada, &ben]);
    let world = World::with(&Config {
        sources: Vec::new(),
        more: format!(
            "[[source]]\nname = \"idp\"\nkind = \"scim\"\nmode = \"pull\"\n[source.settings.pull]\nbase_url = \"{}\"\n\
             bearer_token = \"{TOKEN}\"\n",
            provider.base_url
        ),
        ..Config::default()
    });
    let server = world.serve().await;
    let (api, desk) = (world.api(&server), world.desk(&server));
    let order = Order {
        group: &board,
        named_by: "id",
        ..Order::default()
    };
    let order = desk.order(&order).await;
    let room = desk.prepare(&order, &json!({})).await;
    synchronise(&api).await;
    desk.confirm(&order).await;
    let inside = async |expected: &[&str]| {
        eventually(&format!("{expected:?} to be in the room"), || async {
            let inside = desk.inside(&room.id).await;
            inside
                .iter()
                .map(String::as_str)
                .eq(expected.iter().copied())
                .then_some(())
        })
        .await;
    };
    inside(&["ada@contoso.com", "ben@contoso.com"]).await;

    let cleo = provider.filler.create_user("cleo@contoso.com");
    provider.filler.add_members(&board, &[&cleo]);
    provider.filler.remove_members(&board, &[&ben]);
    synchronise(&api).await;
    inside(&["ada@contoso.com", "cleo@contoso.com"]).await;
}
