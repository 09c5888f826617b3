//! Lookups are answered each for itself, whoever goes with them.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::runtime::Builder;
use tokio::task::JoinSet;
use usher_storage::{LookUp, Storage, StorageError};

use crate::world::{World, add, fresh};

/// The texts of the entries with this number.
fn texts(id: i64) -> LookUp<Vec<String>> {
    LookUp::new("SELECT text FROM entry WHERE id = $1", vec![id.into()], |rows| {
        rows.iter().map(|row| row.get(0)).collect()
    })
}

/// A number without its sign, which the smallest has not.
fn absolute(number: i64) -> LookUp<i64> {
    LookUp::new("SELECT abs($1)", vec![number.into()], |rows| rows[0].get(0))
}

async fn fill(storage: &Storage, count: i64) {
    for number in 1..=count {
        add(storage, &format!("text {number}")).await.unwrap();
    }
}

#[tokio::test]
async fn each_finds_its_own() {
    let (_world, storage) = fresh().await;
    fill(&storage, 20).await;
    let mut lookups = JoinSet::new();
    for number in 0..300 {
        let storage = storage.clone();
        lookups.spawn(async move { (number % 21, storage.look_up(texts(number % 21)).await) });
    }
    for (number, found) in lookups.join_all().await {
        let expected: Vec<_> = (number > 0)
            .then(|| format!("text {number}"))
            .into_iter()
            .collect();
        assert_eq!(found.unwrap(), expected);
    }
}

#[tokio::test]
async fn one_that_fails_fails_alone() {
    let (_world, storage) = fresh().await;
    let mut lookups = JoinSet::new();
    for number in 0..100 {
        let storage = storage.clone();
        lookups.spawn(async move {
            let failing = number % 7 == 3;
            let asked = if failing { i64::MIN } else { -number };
            (number, failing, storage.look_up(absolute(asked)).await)
        });
    }
    for (number, failing, found) in lookups.join_all().await {
        match found {
            Ok(found) => assert!(!failing && found == number),
            Err(error) => assert!(failing, "{number}: {error}"),
        }
    }
    let unknown: LookUp<()> = LookUp::new("SELECT nothing FROM nowhere", Vec::new(), |_| Ok(()));
    assert!(storage.look_up(unknown).await.is_err());
    let nul = LookUp::new("SELECT $1", vec!["\0".into()], |_| Ok(()));
    assert!(matches!(storage.look_up(nul).await, Err(StorageError::NulInText)));
    assert_eq!(storage.look_up(absolute(-1)).await.unwrap(), 1);
}

#[tokio::test]
async fn one_that_is_given_up_takes_nobody_along() {
    let (_world, storage) = fresh().await;
    fill(&storage, 9).await;
    let mut context = Context::from_waker(Waker::noop());
    for polls in 1..6 {
        let mut lookups = JoinSet::new();
        {
            let mut first = pin!(storage.look_up(texts(1)));
            for number in 2..=9 {
                if first.as_mut().poll(&mut context).is_ready() {
                    break;
                }
                let storage = storage.clone();
                lookups.spawn(async move { storage.look_up(texts(number)).await.unwrap() });
                if number > polls {
                    tokio::task::yield_now().await;
                }
            }
        }
        let found = lookups.join_all().await;
        assert!(found.iter().all(|texts| texts.len() == 1), "{polls}: {found:?}");
    }
    // Whoever waited and goes away before its turn leaves it to the next one.
    let mut given_up = Vec::new();
    for _ in 0..4 {
        let mut lookup = Box::pin(storage.look_up(texts(1)));
        let state = lookup.as_mut().poll(&mut context);
        given_up.push((lookup, matches!(state, Poll::Pending)));
    }
    given_up.reverse();
    drop(given_up);
    assert_eq!(storage.look_up(texts(9)).await.unwrap(), ["text 9"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_of_a_runtime_that_ended_are_in_nobody_s_way() {
    let world = World::new();
    let storage = Storage::open(world.config()).await.unwrap();
    fill(&storage, 3).await;
    for _ in 0..3 {
        let here = storage.clone();
        let elsewhere = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (one, two) = tokio::join!(here.look_up(texts(1)), add(&here, "elsewhere"));
                two.unwrap();
                one.unwrap()
            })
        });
        let found = tokio::task::spawn_blocking(|| elsewhere.join().unwrap())
            .await
            .unwrap();
        assert_eq!(found, ["text 1"]);
        // As many as there are connections, and more.
        let mut units = JoinSet::new();
        for _ in 0..8 {
            let storage = storage.clone();
            units.spawn(async move {
                add(&storage, "here").await.unwrap();
                storage.look_up(texts(2)).await.unwrap()
            });
        }
        for found in units.join_all().await {
            assert_eq!(found, ["text 2"]);
        }
    }
    storage.close().await;
}
