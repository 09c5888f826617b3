//! `usher source check`: with each permission missing in turn it says what fails, what that breaks and what to grant.

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};
use usher_fakes::Fault;
use usher_fakes::okta::{Org, Rights, ServiceApp, Ungranted};
use usher_fakes::scim::{Discovery, MembersShown};

use super::idp::API_TOKEN;
use super::{Idp, Kind, Rig, Way};
use crate::harness::{Config, Finished, Source, World};

/// One thing that is taken away, and what the check has to say of it.
struct Missing {
    take: fn(&Idp),
    give: fn(&Idp),
    /// The permission's line.
    names: &'static str,
    /// `missing` or `unknown`.
    state: &'static str,
    /// What breaks without it.
    breaks: &'static str,
    /// What to grant.
    grant: &'static str,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entra_names_each_missing_graph_permission() {
    let cases = [
        Missing {
            take: |idp| idp.graph().grant("GroupMember.Read.All", false),
            give: |idp| idp.graph().grant("GroupMember.Read.All", true),
            names: "GroupMember.Read.All",
            state: "missing",
            breaks: "no group can be read",
            grant: "grant the application permission GroupMember.Read.All and give admin consent",
        },
        Missing {
            take: |idp| idp.graph().grant("User.Read.All", false),
            give: |idp| idp.graph().grant("User.Read.All", true),
            names: "User.Read.All",
            state: "missing",
            breaks: "members cannot be told apart",
            grant: "grant the application permission User.Read.All and give admin consent",
        },
        Missing {
            take: |idp| idp.graph().grant("Application.Read.All", false),
            give: |idp| idp.graph().grant("Application.Read.All", true),
            names: "Application.Read.All",
            state: "missing",
            breaks: "groups count as not known to be assigned",
            grant: "grant the application permission Application.Read.All and give admin consent",
        },
    ];
    let idp = company(Kind::Entra).await;
    idp.graph().grant("Group.Read.All", false);
    let source = idp.source("pull");
    walk(idp, source, &cases, "objectId to externalId").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn okta_names_what_the_role_of_an_api_token_does_not_cover() {
    let give: fn(&Idp) = |idp| idp.okta().take_api_token(API_TOKEN, Rights::all());
    let role = "give the administrator of the API token a role that may do this";
    let cases = [
        Missing {
            take: |idp| take_from_token(idp, "okta.groups.read"),
            give,
            names: "okta.groups.read",
            state: "missing",
            breaks: "nothing can be read",
            grant: role,
        },
        Missing {
            take: |idp| take_from_token(idp, "okta.users.read"),
            give,
            names: "okta.users.read",
            state: "missing",
            breaks: "nobody can be restored",
            grant: role,
        },
        Missing {
            take: |idp| take_from_token(idp, "okta.apps.read"),
            give,
            names: "okta.apps.read",
            state: "missing",
            breaks: "groups have no effect while require_assignment is on",
            grant: role,
        },
        Missing {
            take: |idp| take_from_token(idp, "okta.logs.read"),
            give,
            names: "okta.logs.read",
            state: "missing",
            breaks: "a deleted group stays unknown",
            grant: role,
        },
        Missing {
            take: |idp| {
                idp.okta()
                    .take_api_token(API_TOKEN, Rights::all().only_groups(&[]));
            },
            give,
            names: "okta.groups.read",
            state: "missing",
            breaks: "Okta shows no group at all",
            grant: "assign one whose resource set holds the groups",
        },
    ];
    let idp = company(Kind::Okta).await;
    let source = idp.source("pull");
    walk(idp, source, &cases, "Push now").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn okta_names_each_scope_that_a_service_application_was_not_granted() {
    let scopes = [
        "okta.groups.read",
        "okta.users.read",
        "okta.apps.read",
        "okta.logs.read",
    ];
    let idp = company(Kind::Okta).await;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key pair");
    let app = |rights| ServiceApp {
        client_id: "0oa1serviceapplicat0".into(),
        public_key_pem: key.public_key_pem(),
        key_id: Some("the-key".into()),
        rights,
        dpop: true,
    };
    idp.okta().take_service_app(app(Rights::all()));
    let source = Source {
        settings: format!(
            "org_url = \"{}\"\nclient_id = \"0oa1serviceapplicat0\"\nkey_id = \"the-key\"\nalgorithm = \"ES256\"\n\
             private_key = '''\n{}'''\napplication_id = \"{}\"\nsystem_log = true\n",
            idp.served().url(),
            key.serialize_pem(),
            Org::APPLICATION
        ),
        ..idp.source("pull")
    };
    let rig = Rig::configured(idp, Way::Pull, source, "")
        .await
        .expect("no need");
    good(
        &rig.world
            .cli(&["source", "check", "idp", "--json"])
            .succeeded()
            .json(),
    );
    for ungranted in [Ungranted::LeftOut, Ungranted::Refused] {
        rig.idp.okta().behave(|behaviour| behaviour.ungranted = ungranted);
        for scope in scopes {
            rig.idp.okta().take_service_app(app(Rights::all().without(scope)));
            let text = failed(&rig, &["source", "check", "idp"]).stdout;
            assert!(text.contains(scope), "{ungranted:?}: {text}");
            let grant = format!("grant the scope {scope} to the application");
            assert!(text.contains(&grant), "{ungranted:?}, {scope}: {text}");
            let shown = failed(&rig, &["source", "check", "idp", "--json"]).json();
            for other in scopes.into_iter().filter(|other| *other != scope) {
                assert_eq!(
                    line(&shown, other)["state"],
                    "works",
                    "{scope} hides {other}: {shown:#}"
                );
            }
        }
        rig.idp.okta().take_service_app(app(Rights::all()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_service_provider_is_asked_for_each_thing_that_is_needed() {
    let cases = [
        Missing {
            take: |idp| idp.scim().change(|habits| habits.users_readable = false),
            give: |idp| idp.scim().change(|habits| habits.users_readable = true),
            names: "/Users",
            state: "missing",
            breaks: "no group can be read: its members would be unknown people",
            grant: "Grant /Users at the provider",
        },
        Missing {
            take: |idp| idp.scim().change(|habits| habits.groups_readable = false),
            give: |idp| idp.scim().change(|habits| habits.groups_readable = true),
            names: "/Groups",
            state: "missing",
            breaks: "no group can be read",
            grant: "Grant /Groups at the provider",
        },
        Missing {
            take: |idp| idp.scim().change(|habits| habits.discovery = Discovery::Missing),
            give: |idp| idp.scim().change(|habits| habits.discovery = Discovery::Honest),
            names: "/ServiceProviderConfig",
            state: "missing",
            breaks: "reads use no filters",
            grant: "Grant /ServiceProviderConfig at the provider",
        },
        Missing {
            take: |idp| {
                idp.scim().change(|habits| {
                    habits.members = MembersShown::LeftOut;
                    habits.groups_on_users = false;
                });
            },
            give: |idp| {
                idp.scim().change(|habits| {
                    habits.members = MembersShown::Fully;
                    habits.groups_on_users = true;
                });
            },
            names: "members",
            state: "unknown",
            breaks: "every group looks empty, which is never believed",
            grant: "no group with a member was seen",
        },
        Missing {
            take: |idp| idp.scim().revoke(),
            give: |_| (),
            names: "credential",
            state: "missing",
            breaks: "nothing can be read",
            grant: "Grant credential at the provider",
        },
    ];
    let idp = company(Kind::Scim).await;
    let source = idp.source("pull");
    walk(idp, source, &cases, "may read /Users and /Groups").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_secret_or_no_answer_says_so_and_ends_with_its_own_code() {
    let idp = company(Kind::Entra).await;
    let source = idp.source("pull");
    let rig = Rig::configured(idp, Way::Pull, source, "")
        .await
        .expect("no need");
    rig.idp
        .graph()
        .set(|options| options.secret = Some("another".into()));
    let finished = rig.world.cli(&["source", "check", "idp"]).refused();
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(finished.stderr.contains("invalid_client"), "{finished}");
    assert!(
        finished
            .stderr
            .contains("check its id, credential and permissions"),
        "{finished}"
    );
    rig.idp.faults.always("", Fault::CutConnection);
    let finished = rig.world.cli(&["source", "check", "idp"]).refused();
    assert_eq!(finished.code, Some(1), "{finished}");
    let refused = rig.api.post("/sources/idp/check", &json!({})).await.refused(502);
    assert!(refused.text("/next").len() > 10, "{:#}", refused.body);
    let unknown = rig.world.cli(&["source", "check", "nowhere"]).refused();
    assert_eq!(unknown.code, Some(5), "{unknown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_only_pushed_to_shows_what_to_set_up_and_has_nothing_to_fail() {
    for (kind, step) in [
        (Kind::Entra, "aadOptscim062020"),
        (Kind::Okta, "Push now"),
        (Kind::Scim, "users go before groups"),
    ] {
        let source = Source {
            kind: kind.adapter().to_owned(),
            ..Source::named("idp")
        };
        let world = World::with(&Config {
            sources: vec![source],
            ..Config::default()
        });
        let server = world.serve().await;
        let shown = world.cli(&["source", "check", "idp"]).succeeded().stdout;
        assert!(shown.contains(step), "{shown}");
        drop(server);
    }
}

/// A provider with one group and one person in it.
async fn company(kind: Kind) -> Idp {
    let idp = Idp::new(kind).await;
    let group = idp.directory.add_group("Board members");
    idp.directory.assign(&group, true);
    idp.person("ada", &[&group]);
    idp
}

fn take_from_token(idp: &Idp, scope: &str) {
    idp.okta().take_api_token(API_TOKEN, Rights::all().without(scope));
}

/// Checks with nothing missing, then with each thing missing in turn: by the command line for people and for programs,
/// and by the API.
async fn walk(idp: Idp, source: Source, cases: &[Missing], step: &str) {
    let rig = Rig::configured(idp, Way::Pull, source, "")
        .await
        .expect("no need");
    let shown = rig
        .world
        .cli(&["source", "check", "idp", "--json"])
        .succeeded()
        .json();
    good(&shown);
    let guidance = shown["guidance"].to_string();
    assert!(guidance.contains(step), "{guidance}");
    for case in cases {
        (case.take)(&rig.idp);
        let text = failed(&rig, &["source", "check", "idp"]).stdout;
        for said in [case.names, case.breaks, case.grant] {
            assert!(
                text.contains(said),
                "{}: '{said}' is not said in\n{text}",
                case.names
            );
        }
        let shown = failed(&rig, &["source", "check", "idp", "--json"]).json();
        let api = rig
            .api
            .post("/sources/idp/check", &json!({}))
            .await
            .expect(200)
            .body;
        for shown in [shown, api] {
            assert_eq!(shown["good"], false, "{shown:#}");
            let line = line(&shown, case.names);
            assert_eq!(line["state"], case.state, "{shown:#}");
            assert!(
                line["detail"]
                    .as_str()
                    .is_some_and(|why| why.contains(case.breaks)),
                "{line:#}"
            );
        }
        (case.give)(&rig.idp);
    }
}

/// A check that found something ends with the code of a refusal, having shown everything.
fn failed(rig: &Rig, args: &[&str]) -> Finished {
    let finished = rig.world.cli(args).refused();
    assert_eq!(finished.code, Some(4), "{finished}");
    finished
}

fn good(shown: &Value) {
    assert_eq!(shown["good"], true, "{shown:#}");
    let permissions = shown["permissions"].as_array().expect("a list");
    assert!(!permissions.is_empty());
    assert!(permissions.iter().all(|one| one["state"] == "works"), "{shown:#}");
}

fn line<'a>(shown: &'a Value, name: &str) -> &'a Value {
    let mut lines = shown["permissions"].as_array().expect("a list").iter();
    let found = lines.find(|one| one["name"] == name);
    found.unwrap_or_else(|| panic!("{name} is not in {shown:#}"))
}
