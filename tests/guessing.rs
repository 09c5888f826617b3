//! Guessing tokens: whoever does is slowed down, and locks nobody else out.

use reqwest::Method;

use crate::harness::{Answer, Client, Config, Server, World};

/// How many refused tokens a minute are answered as such.
const LIMIT: usize = 5;
const GUESSER: &str = "203.0.113.7";
const NEIGHBOUR: &str = "203.0.113.8";

/// A server behind a proxy, for which these tests stand: so that requests come from many addresses.
async fn behind_a_proxy() -> (World, Server) {
    let world = World::with(&Config {
        server: format!("trusted_proxies = [\"127.0.0.0/8\"]\nauth_failures_per_minute = {LIMIT}"),
        ..Config::default()
    });
    let server = world.serve().await;
    (world, server)
}

/// A read, as it comes from this address.
async fn ask(client: &Client, path: &str, address: &str) -> Answer {
    client
        .send_raw(Method::GET, path, &[("x-forwarded-for", address)], None)
        .await
}

/// One wrong token after the other, each another.
async fn guess(client: &Client, path: &str, count: usize, address: &str) -> Vec<Answer> {
    let mut answers = Vec::new();
    for number in 0..count {
        let client = client.with_token(&format!("usher_guess{number}"));
        answers.push(ask(&client, path, address).await);
    }
    answers
}

fn assert_slowed(answers: Vec<Answer>) {
    for (number, answer) in answers.into_iter().enumerate() {
        if number < LIMIT {
            answer.refused(401);
        } else {
            assert_eq!(answer.header("retry-after"), Some("60"));
            answer.refused(429);
        }
    }
}

#[tokio::test]
async fn whoever_guesses_tokens_of_the_api_is_slowed_and_nobody_else_is() {
    let (world, server) = behind_a_proxy().await;
    let api = world.api(&server);
    assert_slowed(guess(&api, "/rooms", LIMIT + 3, GUESSER).await);

    ask(&api, "/rooms", GUESSER).await.expect(200);
    let wrong = api.with_token("usher_copied_wrongly");
    ask(&wrong, "/rooms", NEIGHBOUR).await.refused(401);
    ask(&wrong, "/rooms", GUESSER).await.refused(429);
    let spoofed = format!("{NEIGHBOUR}, {GUESSER}");
    ask(&wrong, "/rooms", &spoofed).await.refused(429);
    ask(&api.with_token(""), "/rooms", GUESSER).await.refused(401);
}

#[tokio::test]
async fn whoever_guesses_tokens_of_a_source_is_slowed_and_its_provider_is_not() {
    let (world, server) = behind_a_proxy().await;
    let scim = world.scim(&server, "idp");
    assert_slowed(guess(&scim, "/Users", LIMIT + 3, GUESSER).await);
    ask(&scim, "/Users", GUESSER).await.expect(200);
    ask(&scim, "/Users", NEIGHBOUR).await.expect(200);
}

#[tokio::test]
async fn sources_that_are_made_up_give_no_more_guesses() {
    let (_world, server) = behind_a_proxy().await;
    let mut answers = Vec::new();
    for number in 0..LIMIT + 3 {
        let made_up = Client::scim(server.address(), &format!("source{number}"), "usher_guess");
        answers.push(ask(&made_up, "/Users", GUESSER).await);
    }
    assert_slowed(answers);
}

#[tokio::test]
async fn another_address_of_the_same_network_gives_no_more_guesses() {
    let (world, server) = behind_a_proxy().await;
    let api = world.api(&server).with_token("usher_guess");
    let mut answers = Vec::new();
    for number in 0..LIMIT + 3 {
        answers.push(ask(&api, "/rooms", &format!("2001:db8::{number}")).await);
    }
    assert_slowed(answers);
    ask(&api, "/rooms", "2001:db8:0:1::1").await.refused(401);
}

#[tokio::test]
async fn guesses_side_by_side_count_as_well() {
    let (world, server) = behind_a_proxy().await;
    let api = world.api(&server).with_token("usher_guess");
    let all = futures_util::future::join_all((0..40).map(|_| ask(&api, "/rooms", GUESSER))).await;
    let told = all.iter().filter(|answer| answer.status == 401).count();
    let slowed = all.iter().filter(|answer| answer.status == 429).count();
    assert_eq!((told, slowed), (LIMIT, 40 - LIMIT));
}
