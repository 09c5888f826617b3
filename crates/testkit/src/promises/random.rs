//! Any directory, any changes, any faults.

use std::fmt::Write as _;

use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::strategy::{Just, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use usher_fakes::{Directory, Fault};

use super::KEPT;
use crate::company::direct;
use crate::trouble::noticeable;
use crate::{Broken, Outcome, Provider, Reader, Shape};

const PEOPLE: usize = 7;
const GROUPS: usize = 3;

/// How many tales are tried.
const TALES: u32 = 64;

/// How often a tale that fails is tried in a shorter form.
const SHORTER: u32 = 120;

/// What happens.
#[derive(Debug, Clone)]
enum Step {
    Join(usize, usize),
    Leave(usize, usize),
    Enable(usize, bool),
    Rename(usize),
    RenameGroup(usize),
    Delete(usize),
    Bin(usize, bool),
    /// A read, from the beginning or from the checkpoint, and what goes wrong at which of its requests.
    Read(bool, Vec<(u32, usize)>),
}

/// A directory and what happens then.
#[derive(Debug, Clone)]
struct Tale {
    page_size: usize,
    members: Vec<(usize, usize)>,
    steps: Vec<Step>,
}

/// Over random directories, changes and faults, no read ever loses a member that the directory still has, and complete
/// reads without faults then show what the directory has.
///
/// The tales are the same in every run; `PROPTEST_CASES` asks for more of them.
pub async fn no_faults_in_any_order_lose_a_member<P: Provider>() -> Outcome {
    let mut config = Config::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = TALES;
    }
    let cases = config.cases;
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let strategy = tales();
    for _ in 0..cases {
        let mut tree = strategy
            .new_tree(&mut runner)
            .map_err(|reason| Broken::new(format!("no tale could be made up: {reason}")))?;
        let Err(mut broken) = tell::<P>(&tree.current()).await else {
            continue;
        };
        let mut shortest = tree.current();
        let mut tries = 0;
        let mut smaller = tree.simplify();
        while smaller && tries < SHORTER {
            tries += 1;
            match tell::<P>(&tree.current()).await {
                Err(still) => {
                    broken = still;
                    shortest = tree.current();
                    smaller = tree.simplify();
                }
                Ok(()) => smaller = tree.complicate(),
            }
        }
        return Err(Broken::new(format!("{broken}; it happened so:\n{shortest:#?}")));
    }
    KEPT
}

async fn tell<P: Provider>(tale: &Tale) -> Result<(), Broken> {
    let directory = Directory::new(P::IDS);
    let people: Vec<_> = (0..PEOPLE)
        .map(|number| directory.add_user(&format!("user{number}@contoso.example")))
        .collect();
    let groups: Vec<_> = (0..GROUPS)
        .map(|number| directory.add_group(&format!("Group {number}")))
        .collect();
    for (group, person) in &tale.members {
        directory.add_member(&groups[*group], &people[*person]);
    }
    let provider = P::start(directory.clone(), Shape::pages_of(tale.page_size)).await;
    let wanted = groups.iter().map(|group| direct(group)).collect();
    let mut reader = Reader::new(&provider, &directory, wanted);
    reader.settle().await?;
    let faults = noticeable::<P>();
    let mut told = String::from("at last");
    for (number, step) in tale.steps.iter().enumerate() {
        match step {
            Step::Join(group, person) => directory.add_member(&groups[*group], &people[*person]),
            Step::Leave(group, person) => directory.remove_member(&groups[*group], &people[*person]),
            Step::Enable(person, enabled) => directory.enable(&people[*person], *enabled),
            Step::Rename(person) => directory.edit_user(&people[*person], |user| {
                user.user_name = format!("renamed{number}@contoso.example");
            }),
            Step::RenameGroup(group) => directory.rename_group(&groups[*group], &format!("Renamed {number}")),
            Step::Delete(person) => directory.delete_user(&people[*person]),
            Step::Bin(person, true) => directory.soft_delete_user(&people[*person]),
            Step::Bin(person, false) => directory.undelete_user(&people[*person]),
            Step::Read(complete, wrong) => {
                let believed = reader.believed();
                let first = provider.faults().requests();
                let mut hasty = false;
                told.clear();
                let _ = write!(told, "after step {number}");
                for (request, fault) in wrong {
                    let fault = faults[fault % faults.len()];
                    provider.faults().at(first + request, fault);
                    hasty |= fault == Fault::NoAnswer;
                    let _ = write!(told, ", {fault:?} at request {request}");
                }
                if hasty {
                    reader.meet(Fault::NoAnswer);
                }
                if *complete {
                    reader.full().await?;
                } else {
                    reader.next().await?;
                }
                provider.faults().clear();
                reader.lost_nobody(&believed, &told)?;
                // Two lies that agree are believed, as every rule of this kind has to; one must not be.
                if !wrong.is_empty() {
                    reader.model_mut().forget_unconfirmed();
                }
            }
        }
    }
    reader.settle().await?;
    reader.equals_directory(&format!("{told}, and after complete reads without faults"))
}

fn tales() -> impl Strategy<Value = Tale> {
    let member = (0..GROUPS, 0..PEOPLE);
    let steps = proptest::collection::vec(step(), 1..14);
    (1..4_usize, proptest::collection::vec(member, 0..14), steps).prop_map(|(page_size, members, steps)| {
        Tale {
            page_size,
            members,
            steps,
        }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let person = 0..PEOPLE;
    let group = 0..GROUPS;
    let wrong = proptest::collection::vec((0..9_u32, 0..Fault::ALL.len()), 0..4);
    prop_oneof![
        4 => (group.clone(), person.clone()).prop_map(|(group, person)| Step::Join(group, person)),
        4 => (group.clone(), person.clone()).prop_map(|(group, person)| Step::Leave(group, person)),
        1 => (person.clone(), any::<bool>()).prop_map(|(person, enabled)| Step::Enable(person, enabled)),
        1 => person.clone().prop_map(Step::Rename),
        1 => group.prop_map(Step::RenameGroup),
        1 => person.clone().prop_map(Step::Delete),
        1 => (person, any::<bool>()).prop_map(|(person, bin)| Step::Bin(person, bin)),
        9 => (prop_oneof![Just(true), Just(false)], wrong).prop_map(|(complete, wrong)| Step::Read(complete, wrong)),
    ]
}
