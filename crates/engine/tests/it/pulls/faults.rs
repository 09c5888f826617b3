//! Whatever goes wrong with reads, in whatever order with pushes: nobody loses a room whom the directory did not lose, and
//! nobody comes in whom it does not have.

use std::collections::BTreeSet;

use proptest::prelude::*;
use usher_core::UnknownScope;

use super::*;
use crate::properties::{cases, run};
use crate::world::Account;

const PEOPLE: [&str; 5] = ["anna", "ben", "carl", "dora", "emil"];

#[derive(Debug, Clone)]
enum Step {
    /// The directory changes.
    Join(usize),
    Leave(usize),
    /// The provider pushes what is true of a person now. Nothing happens where it does not push.
    Push(usize),
    /// The account of a person is deleted, and the provider pushes that. Their next push begins with a new account.
    Delete(usize),
    /// A complete read of an index that is late: it still has whom a push took away a short while ago.
    Late,
    /// A complete read.
    Read {
        confirmed: bool,
    },
    /// A read that breaks off after so many people.
    Half(usize),
    /// A read that says in the end that it did not see the group.
    Unknown(usize),
    /// A read that answers nothing and does not know better; a good one follows.
    Empty,
    /// A read that loses a person without noticing; a good one follows.
    Lost(usize),
    /// Time passes.
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let person = || 0..PEOPLE.len();
    let step = prop_oneof![
        3 => person().prop_map(Step::Join),
        3 => person().prop_map(Step::Leave),
        4 => person().prop_map(Step::Push),
        1 => person().prop_map(Step::Delete),
        1 => Just(Step::Late),
        4 => any::<bool>().prop_map(|confirmed| Step::Read { confirmed }),
        1 => person().prop_map(Step::Half),
        1 => person().prop_map(Step::Unknown),
        1 => Just(Step::Empty),
        1 => person().prop_map(Step::Lost),
        2 => (1..900_u64).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..28)
}

struct Case<'w> {
    reads: Reads<'w>,
    room: RoomId,
    /// What was pushed; nothing where the provider does not push.
    accounts: Vec<Option<Account>>,
    /// Whom pushes named as members.
    pushed: BTreeSet<&'static str>,
    /// Whom a push took away last, and when.
    left: Option<(&'static str, Timestamp)>,
    truth: BTreeSet<&'static str>,
}

impl Case<'_> {
    fn people(&self) -> Vec<&'static str> {
        self.truth.iter().copied().collect()
    }

    async fn push(&mut self, person: usize) {
        let Some(known) = self.accounts.get(person).copied() else {
            return;
        };
        let (board, world) = (self.reads.board_id().await, self.reads.world);
        match (known, self.truth.contains(PEOPLE[person])) {
            (Some(account), true) => {
                self.pushed.insert(PEOPLE[person]);
                world.add(board, &[account]).await;
            }
            (Some(account), false) => {
                world.remove(board, &[account]).await;
                self.note_left(person);
            }
            (None, true) => {
                let account = world.user(PEOPLE[person]).await;
                self.accounts[person] = Some(account);
                self.pushed.insert(PEOPLE[person]);
                world.add(board, &[account]).await;
            }
            (None, false) => {}
        }
    }

    async fn delete(&mut self, person: usize) {
        self.truth.remove(PEOPLE[person]);
        if let Some(account) = self.accounts.get_mut(person).and_then(Option::take) {
            self.reads.world.delete_user(account).await;
            self.note_left(person);
        }
    }

    fn note_left(&mut self, person: usize) {
        if self.pushed.remove(PEOPLE[person]) {
            self.left = Some((PEOPLE[person], self.reads.world.engine.now()));
        }
    }

    /// How an index that is late by less than a settle time shows the directory.
    fn late(&self) -> Vec<&'static str> {
        let mut people = self.truth.clone();
        let horizon = self.reads.world.engine.now().minus(SETTLE / 2);
        people.extend(self.left.filter(|(_, at)| *at > horizon).map(|(name, _)| name));
        people.into_iter().collect()
    }

    /// A read that sees only the first of these people, and what comes then.
    async fn odd(&self, people: &[&str], end: Option<DirectoryChange>) {
        let mut pages = vec![vec![board()]];
        pages.extend(
            people
                .chunks(2)
                .map(|page| page.iter().flat_map(|name| seen(name)).collect()),
        );
        pages.extend(end.map(|end| vec![end]));
        self.reads.report(pages).await;
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Join(person) => {
                self.truth.insert(PEOPLE[person]);
            }
            Step::Leave(person) => {
                self.truth.remove(PEOPLE[person]);
            }
            Step::Push(person) => self.push(person).await,
            Step::Delete(person) => self.delete(person).await,
            Step::Late => {
                self.reads.board(&self.late(), true).await;
            }
            Step::Read { confirmed } => {
                self.reads.board(&self.people(), confirmed).await;
            }
            Step::Half(count) => {
                let people = self.people();
                self.odd(&people[..count.min(people.len())], None).await;
            }
            Step::Unknown(count) => {
                let people = self.people();
                let unknown = DirectoryChange::Unknown {
                    scope: UnknownScope::Group(group("board")),
                    reason: "403".into(),
                };
                self.odd(&people[..count.min(people.len())], Some(unknown)).await;
            }
            Step::Empty => {
                self.reads.board(&[], false).await;
                self.reads.board(&self.people(), true).await;
            }
            Step::Lost(person) => {
                let mut people = self.people();
                people.retain(|name| *name != PEOPLE[person]);
                self.reads.board(&people, false).await;
                self.reads.board(&self.people(), true).await;
            }
            Step::Wait(seconds) => self.reads.world.wait(seconds),
        }
    }
}

async fn check(mode: &'static str, steps: Vec<Step>) {
    let world = World::new().await;
    let reads = Reads::new(&world, mode).await;
    let room = reads.room_of(&[]).await;
    let mut accounts = Vec::new();
    if mode == "both" {
        for name in PEOPLE {
            accounts.push(Some(world.user(name).await));
        }
    }
    let mut case = Case {
        reads,
        room,
        accounts,
        pushed: BTreeSet::new(),
        left: None,
        truth: BTreeSet::new(),
    };
    for step in steps {
        let (truth, before) = (case.truth.clone(), inside(&world, room).await);
        case.take(step.clone()).await;
        let after = inside(&world, case.room).await;
        for name in &before {
            let stays = truth.contains(name.as_str()) && case.truth.contains(name.as_str());
            assert!(!stays || after.contains(name), "{name} lost the room by {step:?}");
        }
        for name in &after {
            let may = before.contains(name) || case.truth.contains(name.as_str());
            assert!(may, "{name} came in by {step:?}");
        }
    }
    for person in 0..PEOPLE.len() {
        case.push(person).await;
    }
    for _ in 0..3 {
        world.wait(SETTLE.as_secs());
        case.reads.board(&case.people(), true).await;
    }
    assert_eq!(
        inside(&world, room).await,
        case.people(),
        "in the end everybody is where they belong"
    );
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn reads_alone_lose_nobody(steps in steps()) {
        run(check("pull", steps));
    }

    #[test]
    fn reads_beside_a_push_lose_nobody(steps in steps()) {
        run(check("both", steps));
    }
}
