//! Where pulling can go wrong.

use serde_json::json;
use usher_fakes::{Fault, Guest};

use super::{BEN, Live};
use crate::providers::{Kind, Rig, Way};

const BOTH_KINDS: [Kind; 2] = [Kind::Entra, Kind::Okta];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_of_somebody_removed_seconds_ago_is_refused_and_ends_their_stay() {
    for kind in BOTH_KINDS {
        let live = Live::new(kind, Way::Pull).await;
        live.leave();
        live.rig.sync().await;
        live.come();
        live.rig.sync().await;
        let restore = live.suggestion().await;
        let plan = live.plan(&restore).await.expect(200);

        live.leave();
        assert!(live.is_inside().await, "no read came since");
        let refused = live.apply(&restore, &plan).await.refused(409);
        assert!(!refused.text("/next").is_empty(), "{:#}", refused.body);
        assert!(!live.is_inside().await, "what the source said on the spot counts");
        let refused = live.ask().await.refused(409);
        assert_eq!(refused.text("/code"), "not_in_group", "{:#}", refused.body);
        assert!(
            refused.text("/next").contains("Board members"),
            "{:#}",
            refused.body
        );
        let history = live.rig.desk.history(&live.room.id, BEN).await;
        assert!(
            history
                .iter()
                .all(|stay| stay["active"] == false && stay["end_reason"] == "removed"),
            "{history:#?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_of_somebody_added_seconds_ago_needs_no_read_before_it() {
    for kind in BOTH_KINDS {
        let live = Live::new(kind, Way::Pull).await;
        let former = live.membership().await;
        live.leave();
        live.rig.sync().await;
        assert!(!live.is_inside().await);

        live.come();
        let suggested = live.ask().await.expect(201).id();
        let plan = live.plan(&suggested).await.expect(200);
        live.apply(&suggested, &plan).await.expect(200);
        assert_eq!(live.membership().await["id"], former["id"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_waits_until_the_provider_can_be_asked() {
    for kind in BOTH_KINDS {
        let live = Live::new(kind, Way::Pull).await;
        live.leave();
        live.rig.sync().await;
        live.come();
        live.rig.sync().await;
        let restore = live.suggestion().await;
        let plan = live.plan(&restore).await.expect(200);

        live.rig.idp.faults.always("", Fault::CutConnection);
        let refused = live.apply(&restore, &plan).await.refused(409);
        assert_eq!(refused.text("/code"), "source_not_asked");
        assert!(
            refused.text("/next").contains("usher source check idp"),
            "{:#}",
            refused.body
        );
        assert!(live.is_inside().await, "that nobody answers ends nobody");
        let shown = live.plan(&restore).await.expect(200);
        assert_eq!(
            shown.body["refusal"]["code"], "source_not_asked",
            "{:#}",
            shown.body
        );

        live.rig.idp.faults.clear();
        let plan = live.plan(&restore).await.expect(200);
        live.apply(&restore, &plan).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_form_knows_what_the_source_sees_of_the_group() {
    for kind in BOTH_KINDS {
        let rig = Rig::new(kind, Way::Pull).await.expect("no need");
        let directory = &rig.idp.directory;
        let group = directory.add_group("Board members");
        directory.assign(&group, true);
        for name in ["ada", "ben", "cia"] {
            rig.idp.person(name, &[&group]);
        }
        let guest = rig.idp.person("gus", &[&group]);
        directory.edit_user(&guest, |user| user.guest = Guest::External);
        let inner = directory.add_group("Deputies");
        directory.add_member(&group, &inner);

        let order = rig.order("Board", &group).await;
        let says = rig.desk.order_now(&order).await.body["source_says"].clone();
        let (shown, warnings) = (&says["group"], says["warnings"].to_string());
        assert_eq!(shown["id"], &*group, "{says:#}");
        assert_eq!(shown["assigned"], true, "{says:#}");
        assert!(
            warnings.contains("assigned to the application already"),
            "{says:#}"
        );
        if kind == Kind::Entra {
            assert_eq!(shown["guests"], 1, "{says:#}");
            assert_eq!(shown["nested_groups"], 1, "{says:#}");
            assert!(warnings.contains("guests"), "{says:#}");
        }
        let counted = shown["members"].as_u64().expect("it is counted");
        assert!((4..=5).contains(&counted), "{says:#}");

        let unknown = directory.add_group("Gone");
        directory.delete_group(&unknown, usher_fakes::Life::Deleted);
        let order = rig.order("Another", &unknown).await;
        let says = rig.desk.order_now(&order).await.body["source_says"].clone();
        assert_eq!(says["group"], serde_json::Value::Null, "{says:#}");
        assert!(
            says["warnings"].to_string().contains("has no such group"),
            "{says:#}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_and_disabled_people_of_a_group_stay_outside() {
    for kind in BOTH_KINDS {
        let live = Live::new(kind, Way::Pull).await;
        let directory = &live.rig.idp.directory;
        for (name, guest) in [
            ("gus", Guest::External),
            ("guy", Guest::ExternalMember),
            ("gwen", Guest::Internal),
        ] {
            let id = live.rig.idp.person(name, &[&live.group]);
            // Okta has no such marks of its own; there the address tells.
            directory.edit_user(&id, |user| {
                user.guest = guest;
                if kind == Kind::Okta {
                    user.email = Some(format!("{name}@partner.example"));
                }
            });
        }
        let dan = live.rig.idp.person("dan", &[&live.group]);
        directory.enable(&dan, false);
        live.rig.idp.person("cia", &[&live.group]);
        live.rig.sync().await;
        let names = ["ada", "ben", "cia"].map(|name| format!("{name}@contoso.com"));
        assert_eq!(live.rig.desk.inside(&live.room.id).await, names.into());

        directory.enable(&dan, true);
        directory.enable(&live.ben, false);
        live.rig.sync().await;
        let names = ["ada", "cia", "dan"].map(|name| format!("{name}@contoso.com"));
        assert_eq!(
            live.rig.desk.inside(&live.room.id).await,
            names.into(),
            "{kind:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_reads_empty_ends_nobody_until_it_is_sure() {
    for kind in BOTH_KINDS {
        let live = Live::new(kind, Way::Pull).await;
        let members = format!("{}{}", live.group, kind.members_path());
        live.rig.idp.faults.once(&members, 0, Fault::EmptyPage);
        live.rig.sync_full().await;
        assert!(live.is_inside().await, "200 without anybody is no removal");
        live.rig.idp.faults.clear();
        live.rig.sync_full().await;
        assert!(live.is_inside().await);

        let ada = "ada@contoso.com";
        let users = live.rig.idp.directory.users_after(None, usize::MAX);
        for user in users {
            live.rig.idp.directory.remove_member(&live.group, &user.id);
        }
        live.rig.sync_full().await;
        assert!(
            !live.is_inside().await,
            "an empty group is believed when a count or a second read says so"
        );
        assert!(
            live.rig.is_inside(&live.room, ada).await,
            "a room keeps an administrator"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_may_not_be_read_stays_as_it_is_and_the_others_go_on() {
    for kind in BOTH_KINDS {
        let live = Live::new(kind, Way::Pull).await;
        let idp = &live.rig.idp;
        let audit = idp.directory.add_group("Auditors");
        idp.directory.assign(&audit, true);
        idp.directory.add_member(&audit, &live.ben);
        let other = live.rig.open("Audit", &audit).await;
        assert!(live.rig.is_inside(&other, BEN).await);

        idp.faults.always(&audit, Fault::Forbidden);
        idp.directory.remove_member(&audit, &live.ben);
        idp.person("dan", &[&live.group]);
        let run = live.rig.sync_full().await;
        assert!(
            live.rig.is_inside(&live.room, "dan@contoso.com").await,
            "{kind:?}: {run:#}"
        );
        assert!(live.rig.is_inside(&other, BEN).await, "{kind:?}: {run:#}");
        let unseen = run["not_seen"].to_string();
        assert!(unseen.contains(&*audit), "{kind:?}: {run:#}");

        idp.faults.clear();
        live.rig.sync_full().await;
        assert!(!live.rig.is_inside(&other, BEN).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delta_token_that_expired_costs_a_complete_read_and_nobody() {
    use usher_fakes::graph::Expiry;
    let live = Live::new(Kind::Entra, Way::Pull).await;
    for expiry in [Expiry::Gone, Expiry::NotFound, Expiry::BadRequest] {
        live.rig.idp.graph().set(|options| options.expiry = expiry);
        live.rig.sync().await;
        live.rig.idp.graph().expire_delta_tokens();
        live.leave();
        live.rig.run_of(&json!({})).await;
        live.rig.quiet().await;
        assert!(
            !live.is_inside().await,
            "{expiry:?}: what happened before the new token is not lost"
        );
        let ada = "ada@contoso.com";
        assert!(live.rig.is_inside(&live.room, ada).await);
        assert!(
            live.rig.source().await["pull"]["degraded"].is_null(),
            "{expiry:?}"
        );
        live.come();
        live.rig.sync().await;
        assert!(live.is_inside().await, "{expiry:?}");
    }
    let expired = live.rig.runs().await;
    assert!(
        expired
            .iter()
            .any(|run| run["error"]["kind"] == "checkpoint_expired"),
        "{expired:#?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_of_groups_inside_the_group_come_in_only_where_the_mapping_says_so() {
    for (kind, nested) in [(Kind::Entra, true), (Kind::Entra, false), (Kind::Okta, true)] {
        let mut rig = Rig::new(kind, Way::Pull).await.expect("no need");
        let directory = rig.idp.directory.clone();
        let group = directory.add_group("Board members");
        directory.assign(&group, true);
        rig.idp.person("ada", &[&group]);
        let deputies = directory.add_group("Deputies");
        let nia = rig.idp.person("nia", &[&deputies]);
        directory.add_member(&group, &deputies);
        // A circle is walked once.
        directory.add_member(&deputies, &group);
        let order = rig.order("Board", &group).await;
        if kind == Kind::Okta {
            let terms = json!({ "bootstrap": { "name": "Set-up", "email": "setup@vendor.example" }, "nested": nested });
            let path = format!("/orders/{order}/accept");
            let refused = rig.desk.support.post(&path, &terms).await.refused(409);
            assert_eq!(refused.text("/code"), "nested_not_read");
            continue;
        }
        let room = rig.desk.prepare(&order, &json!({ "nested": nested })).await;
        rig.quiet().await;
        rig.desk.confirm(&order).await;
        rig.convey().await;
        let nia_is_in = async |rig: &Rig| rig.is_inside(&room, "nia@contoso.com").await;
        assert_eq!(nia_is_in(&rig).await, nested, "{}", rig.story().await);
        directory.remove_member(&deputies, &nia);
        rig.convey().await;
        assert!(
            !nia_is_in(&rig).await,
            "who leaves the inner group leaves the room: {}",
            rig.story().await
        );
    }
}
