//! What an answer under way holds: a piece in memory, and nothing of the database.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{CHUNK, Group, Taken, connect, last_request, values};
use crate::world::World;

/// More than a database has connections.
const MANY: usize = 40;

/// The most bytes that a member of these tests takes.
const MEMBER: usize = 200;

#[tokio::test]
async fn answers_that_nobody_takes_hold_nothing() {
    let world = World::new().await;
    let group = Group::load(&world, "Everybody", 1500, 1700).await;
    let mut answers = Vec::new();
    for _ in 0..MANY {
        let mut answer = Taken::begin(&world, &group.path).await;
        assert!(answer.piece().await > 0 && answer.piece().await > 0);
        answers.push(answer);
    }
    // Neither readers nor the writer wait for them.
    let ada = world.user("ada").await;
    world.get(&format!("/Users/{ada}")).await.expect(200);
    world.get(&group.path).await.expect(200);
    for answer in answers {
        assert_eq!(values(&answer.end().await), group.values());
    }
}

#[tokio::test]
async fn pieces_are_small_and_read_when_they_are_taken() {
    let world = World::new().await;
    let few = Group::load(&world, "Few", 0, 10).await;
    let group = Group::load(&world, "Many", 2500, 1500).await;
    let list = "/Groups".to_owned();
    let stats = || world.engine.storage().stats();
    world.get(&few.path).await.expect(200);
    let before = stats();
    world.get(&few.path).await.expect(200);
    let (reads, statements) = (
        stats().reads - before.reads,
        stats().statements - before.statements,
    );

    for path in [&group.path, &list] {
        let before = stats();
        let mut answer = Taken::begin(&world, path).await;
        assert_eq!(stats().reads - before.reads, reads, "as many as a short answer");
        assert!(stats().statements - before.statements <= statements + 2, "{path}");
        let (mut pieces, mut read) = (0, stats());
        loop {
            let length = answer.piece().await;
            if length == 0 {
                break;
            }
            assert!(length < (CHUNK + 10) * MEMBER, "a piece of {length} bytes");
            let now = stats();
            // The first piece was read with the group.
            assert_eq!(now.reads - read.reads, u64::from(pieces > 0), "{path}");
            assert!(now.statements - read.statements <= 4, "{path}");
            (pieces, read) = (pieces + 1, now);
        }
        assert!((4..=6).contains(&pieces), "{pieces} pieces");
    }
}

#[tokio::test]
async fn a_head_reads_no_more_than_of_a_short_answer() {
    let world = World::new().await;
    let few = Group::load(&world, "Few", 0, 10).await;
    let many = Group::load(&world, "Many", 0, 5 * CHUNK).await;
    world.get(&few.path).await.expect(200);
    let mut reads = Vec::new();
    for group in [&few, &many] {
        let before = world.engine.storage().stats().reads;
        let (mut client, served) = connect(&world);
        let request = last_request(&world, "HEAD", &group.path);
        client.write_all(request.as_bytes()).await.expect("a connection");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("an answer");
        served.await.expect("no panic").expect("no failure");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert_eq!(
            answer.find("\r\n\r\n"),
            Some(answer.len() - 4),
            "no body: {answer}"
        );
        reads.push(world.engine.storage().stats().reads - before);
    }
    assert_eq!(reads[0], reads[1]);
}
