//! Answers that cannot be read to their end break off: nothing that is short looks whole.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{CHUNK, Group, Taken, connect, last_request};
use crate::world::World;

impl Taken {
    /// Takes what is left up to where the answer breaks off.
    async fn broken_off(mut self) {
        while let Ok(piece) = self.try_piece().await.expect("no end") {
            self.bytes.extend_from_slice(&piece);
        }
        let parsed = serde_json::from_slice::<Value>(&self.bytes);
        assert!(parsed.is_err(), "{} bytes look whole", self.bytes.len());
        assert!(self.try_piece().await.is_none(), "nothing comes after it");
    }
}

#[tokio::test]
async fn a_database_that_fails_breaks_answers_off() {
    let world = World::new().await;
    let group = Group::load(&world, "Everybody", 0, 3 * CHUNK).await;
    let mut answers = Vec::new();
    for path in [&group.path, "/Groups"] {
        let mut answer = Taken::begin(&world, path).await;
        assert!(answer.piece().await > 0 && answer.piece().await > 0, "{path}");
        answers.push(answer);
    }
    world.engine.storage().clone().close().await;
    for answer in answers {
        answer.broken_off().await;
    }
}

#[tokio::test]
async fn a_deleted_group_breaks_answers_off() {
    let world = World::new().await;
    let first = Group::load(&world, "First", 0, CHUNK + 1).await;
    world.clock.advance(std::time::Duration::from_millis(1));
    let second = Group::load(&world, "Second", 0, 3).await;
    let third = Group::load(&world, "Third", 0, CHUNK + 1).await;
    let mut answers = Vec::new();
    for path in [&third.path, "/Groups"] {
        let mut answer = Taken::begin(&world, path).await;
        assert!(answer.piece().await > 0, "{path}");
        answers.push(answer);
    }
    for group in [&second, &third] {
        world.delete(&group.path).await.expect(204);
    }
    for answer in answers {
        answer.broken_off().await;
    }
    let left = world.get("/Groups").await.expect(200).json();
    assert_eq!(left["Resources"][0]["id"], first.id);
}

/// What a client sees of it: the connection ends without the mark of the end.
#[tokio::test]
async fn a_connection_ends_with_an_answer_that_breaks_off() {
    let world = World::new().await;
    let long = "x".repeat(200);
    let group = Group::load(&world, &long, 0, 8 * CHUNK).await;
    for is_broken in [false, true] {
        let (mut client, served) = connect(&world);
        let request = last_request(&world, "GET", &group.path);
        client.write_all(request.as_bytes()).await.expect("a connection");
        let mut answer = vec![0; 12];
        client.read_exact(&mut answer).await.expect("a head");
        assert_eq!(answer, b"HTTP/1.1 200");
        if is_broken {
            world.engine.storage().clone().close().await;
        }
        client.read_to_end(&mut answer).await.expect("an end");
        assert_eq!(answer.ends_with(b"]}\r\n0\r\n\r\n"), !is_broken);
        assert_eq!(served.await.expect("no panic").is_err(), is_broken);
    }
}
