//! Service providers that do things differently, or wrongly: nobody is lost, and what can be read is read.

use std::sync::Arc;

use serde_json::{Value, json};
use usher_core::{
    DirectoryChange, ErrorKind, ProvisioningAdapter as _, ReadRequest, ReadScope, RemoteUserId, UnknownScope,
};
use usher_fakes::Fault;
use usher_fakes::scim::{Discovery, Filtering, Habits, MembersShown};

use crate::world::{Taken, World, company, group, read};

/// Everything that a read said about the members of a group: their names, sorted, and how it ended.
fn members(changes: &[DirectoryChange], id: &str) -> (Vec<String>, String) {
    let name_of = |member: &RemoteUserId| {
        changes.iter().find_map(|change| match change {
            DirectoryChange::UserUpserted(user) if user.id == *member => Some(user.user_name.clone()),
            _ => None,
        })
    };
    let mut names = Vec::new();
    let mut end = "open".to_owned();
    for change in changes {
        match change {
            DirectoryChange::MemberAdded { group, member } if group.as_str() == id => {
                names.push(name_of(member).expect("a user that was reported"));
            }
            DirectoryChange::GroupMembersComplete { group, confirmed } if group.as_str() == id => {
                end = format!("complete {confirmed}");
            }
            DirectoryChange::Unknown {
                scope: UnknownScope::Group(group),
                reason,
            } if group.as_str() == id => end.clone_from(reason),
            _ => {}
        }
    }
    names.sort();
    (names, end)
}

const BOARD: [&str; 3] = [
    "ann@contoso.example",
    "bob@contoso.example",
    "cem@contoso.example",
];

/// Reads the board at a provider with these habits, and asks for all of it.
async fn reads_the_board(habits: Habits, settings: Value) {
    let (directory, board, audit) = company();
    let said = format!("{habits:?} {settings}");
    let world = World::new(directory, habits).await;
    let (changes, outcome) = read(&world, &settings, vec![&board, &audit], None).await;
    outcome.unwrap_or_else(|error| panic!("{said}: {error}"));
    let (names, end) = members(&changes, &board);
    assert_eq!(
        (names, end.as_str()),
        (BOARD.map(String::from).to_vec(), "complete true"),
        "{said}"
    );
}

#[tokio::test]
async fn members_are_found_however_filters_and_pages_work() {
    let discoveries = [Discovery::Honest, Discovery::Missing, Discovery::Invalid];
    let filterings = [
        Filtering::Works,
        Filtering::Refused,
        Filtering::PassedOver,
        Filtering::AnnouncedAndPassedOver,
        Filtering::OnlyOneComparison,
    ];
    let shown = [
        MembersShown::Fully,
        MembersShown::ValuesAlone,
        MembersShown::LeftOut,
    ];
    for discovery in discoveries {
        for filtering in filterings {
            for members in shown {
                let habits = Habits {
                    discovery,
                    filtering,
                    members,
                    max_results: 2,
                    cursor: true,
                    ..Habits::default()
                };
                reads_the_board(habits.clone(), json!({"page_size": 2})).await;
                let bare = Habits {
                    etag: false,
                    last_modified: false,
                    cursor_totals: false,
                    ..habits
                };
                reads_the_board(bare, json!({})).await;
            }
        }
    }
}

#[tokio::test]
async fn members_stand_where_the_setting_says() {
    reads_the_board(Habits::default(), json!({"members": "users"})).await;
    reads_the_board(Habits::default(), json!({"members": "groups"})).await;
}

#[tokio::test]
async fn a_total_that_is_wrong_never_makes_a_list_complete() {
    let (directory, board, _) = company();
    let habits = Habits {
        members: MembersShown::LeftOut,
        miscount: 1,
        ..Habits::default()
    };
    let world = World::new(directory, habits).await;
    let (changes, outcome) = read(&world, &json!({}), vec![&board], None).await;
    outcome.expect("the read itself worked");
    let (names, end) = members(&changes, &board);
    assert_eq!(names, BOARD);
    assert!(end.contains("announced 4 entries and gave 3"), "{end}");
}

#[tokio::test]
async fn members_that_are_cut_off_in_silence_are_missed() {
    let (directory, board, _) = company();
    let habits = Habits {
        members_cut_at: Some(2),
        ..Habits::default()
    };
    let world = World::new(directory, habits).await;
    let (changes, _) = read(&world, &json!({}), vec![&board], None).await;
    let (_, end) = members(&changes, &board);
    assert!(end.contains("counts 3 members and shows 2"), "{end}");
}

#[tokio::test]
async fn an_empty_group_is_confirmed_by_a_second_look() {
    for filtering in [Filtering::Works, Filtering::Refused] {
        for empty_members in [true, false] {
            let (directory, board, _) = company();
            let empty = directory.add_group("Empty");
            let habits = Habits {
                filtering,
                empty_members,
                ..Habits::default()
            };
            let world = World::new(directory, habits).await;
            let (changes, _) = read(&world, &json!({}), vec![&empty], None).await;
            assert_eq!(members(&changes, &empty), (vec![], "complete true".into()));
            // The first look at the board shows nobody; the second does.
            world.faults.once(&board, 0, Fault::EmptyPage);
            let (changes, _) = read(&world, &json!({}), vec![&board], None).await;
            let (names, end) = members(&changes, &board);
            assert_eq!(names, [""; 0]);
            assert!(end.contains("and then with members"), "{end}");
        }
    }
}

#[tokio::test]
async fn a_delta_needs_times_of_change_that_can_be_asked_for() {
    let (directory, board, _) = company();
    let world = World::new(directory, Habits::default()).await;
    let checkpoint = async |settings: Value| {
        let (_, outcome) = read(&world, &settings, vec![&board], None).await;
        outcome.expect("a read").checkpoint
    };
    let kept = checkpoint(json!({})).await.expect("a checkpoint");
    assert_eq!(checkpoint(json!({"detect_changes": false})).await, None);
    world.server.change(|habits| habits.last_modified = false);
    assert_eq!(checkpoint(json!({})).await, None);
    world.server.change(|habits| {
        habits.last_modified = true;
        habits.filtering = Filtering::AnnouncedAndPassedOver;
    });
    assert!(
        checkpoint(json!({})).await.is_some(),
        "everybody is listed, and the times are there"
    );
    world
        .server
        .change(|habits| habits.filtering = Filtering::Refused);
    let (_, outcome) = read(&world, &json!({}), vec![&board], Some(kept)).await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::CheckpointExpired);
}

#[tokio::test]
async fn a_group_that_was_deleted_is_gone_once_a_list_confirms_it() {
    let (directory, board, audit) = company();
    let world = World::new(directory, Habits::default()).await;
    let wanted = || vec![&*board, &*audit];
    let (_, outcome) = read(&world, &json!({}), wanted(), None).await;
    let checkpoint = outcome.expect("a read").checkpoint;
    world.directory.delete_group(&board, usher_fakes::Life::Deleted);
    let (changes, outcome) = read(&world, &json!({}), wanted(), checkpoint).await;
    outcome.expect("a delta");
    let gone =
        |change: &DirectoryChange| matches!(change, DirectoryChange::GroupGone(id) if id.as_str() == &*board);
    assert!(changes.iter().any(gone), "{changes:?}");
    let (changes, _) = read(&world, &json!({}), wanted(), None).await;
    assert!(!changes.iter().any(gone), "a complete read is not sure");
}

#[tokio::test]
async fn a_person_is_looked_up_without_reading_whole_groups() {
    let (directory, board, audit) = company();
    let world = World::new(directory, Habits::default()).await;
    let dana = world.directory.users_after(None, 10);
    let dana = dana
        .into_iter()
        .find(|user| user.user_name.starts_with("dana"))
        .expect("dana is there");
    let request = ReadRequest {
        scope: ReadScope::Person {
            user: RemoteUserId::new(&*dana.id).expect("an id"),
            groups: vec![group(&board), group(&audit)],
        },
        checkpoint: None,
    };
    let mut taken = Taken::default();
    let outcome = world
        .adapter(&json!({}))
        .read(request, &mut taken)
        .await
        .expect("a read");
    assert_eq!(outcome.checkpoint, None);
    let added: Vec<_> = taken
        .0
        .iter()
        .filter_map(|change| match change {
            DirectoryChange::MemberAdded { group, .. } => Some((group.as_str(), true)),
            DirectoryChange::MemberRemoved { group, .. } => Some((group.as_str(), false)),
            _ => None,
        })
        .collect();
    assert_eq!(added, [(&*board, false), (&*audit, true)]);
}

#[tokio::test]
async fn a_large_group_is_read_from_the_list_where_nothing_can_be_filtered() {
    let (directory, ..) = company();
    let large = directory.add_group("Large");
    let ids: Vec<Arc<str>> = (0..120)
        .map(|number| directory.add_user(&format!("user{number}@contoso.example")))
        .collect();
    ids.iter().for_each(|id| directory.add_member(&large, id));
    let habits = Habits {
        filtering: Filtering::Refused,
        max_results: 50,
        ..Habits::default()
    };
    let world = World::new(directory, habits).await;
    let (changes, outcome) = read(&world, &json!({}), vec![&large], None).await;
    outcome.expect("a read");
    assert_eq!(members(&changes, &large).0.len(), 120);
    let asked = world.server.served().seen().len();
    assert!(asked < 12, "{asked} requests for 120 members of 124 users");
}
