//! Every fault at every request of calls that the contract's suite does not put through all of them.

use serde_json::json;
use usher_core::{GroupQuery, PermissionState, ProvisioningAdapter as _, ReadRequest, ReadScope};
use usher_fakes::Fault;
use usher_fakes::okta::Org;

use crate::world::{World, adapter_under, read};

#[tokio::test]
async fn lists_hold_real_groups_once_or_fail() {
    let world = World::new().await;
    world.org.behave(|behaviour| behaviour.page_size = 2);
    for name in ["A", "B", "C", "D", "E"] {
        world.group_of(name, &[]);
    }
    let settings = world.with_token(&json!({"application_id": Org::APPLICATION}));
    for fault in Fault::ALL {
        let adapter = adapter_under(fault, &settings);
        for number in 0.. {
            let first = world.faults.requests() + number;
            world.faults.at(first, fault);
            let query = GroupQuery {
                limit: 10,
                ..GroupQuery::default()
            };
            if let Ok(groups) = adapter.list_groups(query).await {
                let mut names: Vec<_> = groups.iter().map(|group| &*group.display_name).collect();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), groups.len(), "{fault:?} at request {number}");
            }
            world.faults.clear();
            if world.faults.requests() <= first {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_check_that_is_disturbed_says_that_something_does_not_work() {
    let world = World::new().await;
    world.group_of("Board", &["ann"]);
    let settings = world.with_token(&json!({"application_id": Org::APPLICATION, "system_log": true}));
    for fault in [
        Fault::Forbidden,
        Fault::Unauthorised,
        Fault::TooManyRequests(None),
        Fault::ServerError(500),
        Fault::CutConnection,
        Fault::NoAnswer,
    ] {
        for number in 0..5 {
            world.faults.at(world.faults.requests() + number, fault);
            let report = adapter_under(fault, &settings)
                .check()
                .await
                .expect("most was found out");
            let troubled = report
                .permissions
                .iter()
                .filter(|found| found.state != PermissionState::Works);
            let troubled = troubled.count();
            // On a slow machine a second answer may come too late for the hurried adapter.
            let right = troubled == 1 || (fault == Fault::NoAnswer && troubled > 1);
            assert!(right, "{fault:?} at request {number}: {report:?}");
        }
        world.faults.clear();
    }
}

#[tokio::test]
async fn a_read_of_all_groups_never_completes_a_group_that_it_did_not_see() {
    let world = World::new().await;
    world.org.behave(|behaviour| behaviour.page_size = 2);
    let (board, people) = world.group_of("Board", &["a", "b", "c"]);
    let (audit, _) = world.group_of("Audit", &["d"]);
    let settings = world.with_token(&json!({"system_log": true}));
    for fault in Fault::ALL {
        let adapter = adapter_under(fault, &settings);
        for number in 0.. {
            let first = world.faults.requests() + number;
            world.faults.at(first, fault);
            let request = ReadRequest {
                scope: ReadScope::AllGroups,
                checkpoint: None,
            };
            let report = read(&adapter, request).await;
            world.faults.clear();
            for (group, size) in [(&board, people.len()), (&audit, 1)] {
                if report.complete(group).is_some() {
                    assert_eq!(report.members(group).len(), size, "{fault:?} at request {number}");
                }
            }
            if world.faults.requests() <= first {
                break;
            }
        }
    }
}
