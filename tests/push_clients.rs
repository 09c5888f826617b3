//! Entra's and Okta's SCIM clients, as they really send, against the built binary: people come, leave and return.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use usher_fakes::push::{
    CycleReport, Dialect, EntraClient, EntraOptions, ExternalIdSource, Flavour, GuestName, Login,
    MatchingAttribute, OktaClient, OktaOptions,
};
use usher_fakes::{Directory, Guest, IdStyle};

use crate::harness::{Config, Desk, Order, Room, Server, World};

/// A deployment, its people at their desks, and a directory with a group for the room.
struct Scene {
    world: World,
    server: Server,
    desk: Desk,
    room: Room,
    directory: Directory,
    group: Arc<str>,
}

impl Scene {
    /// The room is ordered and its mapping confirmed before anybody is pushed.
    async fn new(ids: IdStyle, kind: &str) -> Self {
        let world = World::with(&Config {
            sources: Vec::new(),
            more: format!("[[source]]\nname = \"idp\"\nkind = \"{kind}\"\nmode = \"push\"\n"),
            ..Config::default()
        });
        let server = world.serve().await;
        let desk = world.desk(&server);
        let room = desk.open(&Order::default()).await;
        let directory = Directory::new(ids);
        let group = directory.add_group("Board members");
        directory.assign(&group, true);
        Self {
            world,
            server,
            desk,
            room,
            directory,
            group,
        }
    }

    fn base(&self) -> String {
        format!("{}/scim/idp/v2", self.server.address())
    }

    /// Somebody new in the group.
    fn join(&self, name: &str) -> Arc<str> {
        let id = self.directory.add_user(&format!("{name}@contoso.com"));
        self.directory.add_member(&self.group, &id);
        id
    }

    async fn inside_are(&self, names: &[&str], when: &str) {
        let expected: BTreeSet<_> = names.iter().map(|name| format!("{name}@contoso.com")).collect();
        assert_eq!(self.desk.inside(&self.room.id).await, expected, "{when}");
    }
}

#[track_caller]
fn clean(report: &CycleReport) {
    assert!(report.is_clean(), "{report:#?}");
}

fn entra(scene: &Scene, options: EntraOptions) -> EntraClient {
    let token = scene.world.source_token("idp");
    EntraClient::new(&scene.directory, &scene.base(), &token, options)
}

fn okta(scene: &Scene, options: OktaOptions) -> OktaClient {
    let token = scene.world.source_token("idp");
    let mut client = OktaClient::new(&scene.directory, &scene.base(), &token, options);
    client.push_group(&scene.group);
    client
}

#[tokio::test]
async fn entra_in_its_default_forms() {
    entra_story(EntraOptions::default()).await;
}

#[tokio::test]
async fn entra_with_the_compliance_flag() {
    entra_story(EntraOptions {
        dialect: Dialect::Compliant,
        external_id: ExternalIdSource::ObjectId,
        member_batch: 100,
        tombstones: true,
        ..EntraOptions::default()
    })
    .await;
}

#[tokio::test]
async fn entra_with_the_flag_and_provisioning_on_demand() {
    entra_story(EntraOptions {
        dialect: Dialect::Mixed,
        matching: MatchingAttribute::ExternalId,
        external_id: ExternalIdSource::ObjectId,
        member_batch: 5,
        probes: true,
        ..EntraOptions::default()
    })
    .await;
}

async fn entra_story(options: EntraOptions) {
    let scene = Scene::new(IdStyle::Guid, "entra").await;
    let directory = &scene.directory;
    let (ada, ben, cem, dee) = (
        scene.join("ada"),
        scene.join("ben"),
        scene.join("cem"),
        scene.join("dee"),
    );
    let eve = scene.join("eve");
    directory.enable(&eve, false);
    let fay = scene.join("fay");
    directory.edit_user(&fay, |user| user.guest = Guest::External);
    let mut client = entra(
        &scene,
        EntraOptions {
            guest_name: GuestName::Original,
            ..options
        },
    );
    client.set_manager(&ben, &ada);
    client.test_connection().await.expect("the connection works");
    let report = client.cycle().await;
    clean(&report);
    assert_eq!(
        (report.created, report.groups_created, report.members_added),
        (5, 1, 5)
    );
    scene
        .inside_are(&["ada", "ben", "cem", "dee"], "after the initial cycle")
        .await;
    assert_eq!(scene.desk.state(&scene.room.order).await, "live");
    let again = client.cycle().await;
    clean(&again);
    assert!(again.is_quiet(), "{again:#?}");

    directory.remove_member(&scene.group, &ben);
    directory.enable(&dee, false);
    directory.edit_user(&cem, |user| {
        user.user_name = "carl@contoso.com".into();
        user.email = Some("carl@contoso.com".into());
    });
    directory.rename_group(&scene.group, "Members of the board");
    let gil = scene.join("gil");
    let report = client.cycle().await;
    clean(&report);
    assert_eq!(
        (
            report.disabled,
            report.updated,
            report.created,
            report.groups_renamed
        ),
        (2, 1, 1, 1),
        "{report:#?}"
    );
    scene
        .inside_are(&["ada", "carl", "gil"], "after an incremental cycle")
        .await;

    directory.enable(&dee, true);
    directory.add_member(&scene.group, &ben);
    let report = client.cycle().await;
    clean(&report);
    assert_eq!(
        (report.enabled, report.created, report.members_added),
        (2, 0, 1),
        "{report:#?}"
    );
    let everybody = ["ada", "ben", "carl", "dee", "gil"];
    scene
        .inside_are(
            &everybody,
            "after two came back, one of them without a membership being sent",
        )
        .await;

    directory.soft_delete_user(&gil);
    clean(&client.cycle().await);
    scene
        .inside_are(&everybody[..4], "after one went into the recycle bin")
        .await;
    directory.delete_user(&gil);
    let report = client.cycle().await;
    clean(&report);
    assert_eq!(report.deleted, 1);

    client.restart();
    let report = client.cycle().await;
    clean(&report);
    assert_eq!((report.created, report.updated), (0, 0), "{report:#?}");
    scene
        .inside_are(&everybody[..4], "after provisioning was restarted")
        .await;
}

/// A job that was set up with a token that no longer works stops, and goes on when it has another.
#[tokio::test]
async fn entra_in_quarantine_goes_on_with_a_new_token() {
    let scene = Scene::new(IdStyle::Guid, "entra").await;
    scene.join("ada");
    let mut client = entra(&scene, EntraOptions::default());
    client.log_in("not-a-token");
    assert!(client.cycle().await.quarantined.is_some());
    assert_eq!(client.exchanges().len(), 1, "nothing else was tried");
    client.log_in(&scene.world.source_token("idp"));
    clean(&client.cycle().await);
    scene.inside_are(&["ada"], "after the token was replaced").await;
}

#[tokio::test]
async fn okta_as_an_app_of_the_catalogue() {
    okta_story(OktaOptions::default()).await;
}

#[tokio::test]
async fn okta_as_an_app_of_the_wizard() {
    okta_story(OktaOptions {
        flavour: Flavour::Put,
        login: Login::Raw,
        ..OktaOptions::default()
    })
    .await;
}

async fn okta_story(options: OktaOptions) {
    let scene = Scene::new(IdStyle::Okta, "okta").await;
    let directory = &scene.directory;
    let audit = directory.add_group("Audit");
    directory.assign(&audit, true);
    scene.join("ada");
    let (ben, cem) = (scene.join("ben"), scene.join("cem"));
    let mut client = okta(&scene, options);
    client.push_group(&audit);
    client.connect().await.expect("the connection works");
    let report = client.cycle().await;
    clean(&report);
    assert_eq!(
        (report.created, report.groups_created, report.members_added),
        (3, 2, 3)
    );
    scene
        .inside_are(&["ada", "ben", "cem"], "after the first push")
        .await;
    assert_eq!(client.import().await.expect("an import"), (3, 2));
    no_password_comes_back(&client);
    let again = client.cycle().await;
    assert!(again.is_clean() && again.is_quiet(), "{again:#?}");

    // Ben leaves the group by which he has the application: he becomes inactive, and his leaving is not sent. Then
    // another group brings him back.
    directory.remove_member(&scene.group, &ben);
    directory.rename_group(&scene.group, "Members of the board");
    directory.edit_user(&cem, |user| user.family_name = "Yilmaz".into());
    let report = client.cycle().await;
    clean(&report);
    assert_eq!(
        (report.disabled, report.members_removed, report.updated),
        (1, 0, 1),
        "{report:#?}"
    );
    scene
        .inside_are(&["ada", "cem"], "after one became inactive")
        .await;
    directory.add_member(&audit, &ben);
    let report = client.cycle().await;
    clean(&report);
    assert_eq!((report.enabled, report.members_added), (1, 1), "{report:#?}");
    scene
        .inside_are(
            &["ada", "cem"],
            "what he was a member of before does not count again",
        )
        .await;
    client.push_now(&scene.group);
    clean(&client.cycle().await);
    scene.inside_are(&["ada", "cem"], "after 'Push now'").await;
    directory.add_member(&scene.group, &ben);
    clean(&client.cycle().await);
    scene
        .inside_are(&["ada", "ben", "cem"], "after he joined the group again")
        .await;

    // Cem's account is closed and opened again while he stays in the group.
    directory.enable(&cem, false);
    clean(&client.cycle().await);
    scene
        .inside_are(&["ada", "ben"], "after an account was closed")
        .await;
    directory.enable(&cem, true);
    clean(&client.cycle().await);
    client.push_now(&scene.group);
    clean(&client.cycle().await);
    scene
        .inside_are(
            &["ada", "ben", "cem"],
            "after it was opened and the group pushed again",
        )
        .await;

    directory.remove_member(&scene.group, &ben);
    let report = client.cycle().await;
    clean(&report);
    assert_eq!((report.disabled, report.members_removed), (0, 1), "{report:#?}");
    scene
        .inside_are(
            &["ada", "cem"],
            "after one left the group and kept the application",
        )
        .await;
}

fn no_password_comes_back(client: &OktaClient) {
    for exchange in client.exchanges() {
        let text = exchange.answer.to_string();
        assert!(!text.contains("1mz050nq"), "{exchange:#?}");
        assert_eq!(exchange.answer.get("password"), None::<&Value>);
    }
}
