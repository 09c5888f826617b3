//! E-mail as people get it: each step of an order at a mail server that is not ours, once, also when that was down.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};

use crate::harness::{Client, Config, Letter, Mailbox, Order, Stage, World, eventually};

const REQUESTER: &str = "rita@contoso.com";
const IT: &str = "it@contoso.com";
const SUPPORT: &str = "support@vendor.example";

fn config(mailbox: &Mailbox, more: &str) -> Config {
    Config {
        more: format!(
            "[notifications]\nfrom = \"Usher <usher@contoso.com>\"\nretry_first = \"1s\"\nretry_most = \"1s\"\ntimeout = \"20s\"\n\
             {more}\n[notifications.smtp]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\n",
            mailbox.port()
        ),
        ..Config::default()
    }
}

fn to_everybody() -> String {
    format!("it = [\"{IT}\"]\nsupport = [\"{SUPPORT}\"]\n")
}

/// The subjects of one recipient's e-mails, in order of their names.
fn subjects(letters: &[Letter], to: &str) -> Vec<String> {
    let own = letters.iter().filter(|letter| letter.to == [to]);
    let mut subjects: Vec<String> = own.map(|letter| letter.subject().to_owned()).collect();
    subjects.sort();
    subjects
}

fn find<'l>(letters: &'l [Letter], to: &str, subject: &str) -> &'l Letter {
    let found = letters
        .iter()
        .find(|letter| letter.to == [to] && letter.subject() == subject);
    found.unwrap_or_else(|| panic!("no e-mail '{subject}' to {to} in {:?}", subjects(letters, to)))
}

async fn stands(api: &Client) -> Value {
    api.get("/notifications").await.expect(200).body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_step_of_an_order_is_told_once_to_those_who_act_next() {
    let Some(mailbox) = Mailbox::start().await else {
        return;
    };
    let more = format!("{}languages = {{ requester = \"de\" }}\n", to_everybody());
    let Some(mut stage) = Stage::with(&config(&mailbox, &more)).await else {
        return;
    };
    let _second_node = stage.world.serve().await;
    let api = stage.world.api(&stage.server);
    has_begun(&api).await;
    let (room, crowd) = stage.live_room(&["ben@contoso.com"]).await;
    let letters = mailbox.has_taken(12).await;
    let expected = [
        (
            REQUESTER,
            vec![
                "Angenommen: Ihre Bestellung des Raums „Board“",
                "Die Gruppe darf jetzt zugewiesen werden: Raum „Board“",
                "Die ersten Personen sind im Raum „Board“",
                "Raum „Board“ hat seinen Administrator",
                "Raum „Board“ ist eingerichtet",
                "Raum „Board“ ist in Betrieb",
            ],
        ),
        (
            IT,
            vec![
                "Room \"Board\" is live",
                "You may add the group now: room \"Board\"",
            ],
        ),
        (
            SUPPORT,
            vec![
                "New order: room \"Board\" for Contoso AG",
                "Room \"Board\" has its administrator",
                "Room \"Board\" is set up",
                "The first people are in room \"Board\"",
            ],
        ),
    ];
    for (to, expected) in &expected {
        assert_eq!(subjects(&letters, to), *expected, "{to}");
    }
    let order = format!("{}/orders/{}", stage.server.address(), room.order);
    for letter in &letters {
        assert_eq!(letter.header("from"), "Usher <usher@contoso.com>");
        assert_eq!(letter.from, "usher@contoso.com");
        assert_eq!(letter.header("auto-submitted"), "auto-generated");
        assert!(letter.header("message-id").ends_with("@contoso.com>"));
        assert!(letter.text.contains("/orders/"), "{}", letter.text);
    }
    let steps = find(&letters, IT, "You may add the group now: room \"Board\"");
    assert!(
        steps.text.contains("2. Assign group Board members to it"),
        "{}",
        steps.text
    );
    assert!(
        steps
            .html
            .contains("<li style=\"margin-bottom:8px\">Assign group Board members"),
        "{}",
        steps.html
    );
    let german = find(
        &letters,
        REQUESTER,
        "Die Gruppe darf jetzt zugewiesen werden: Raum „Board“",
    );
    assert!(
        german
            .text
            .contains("2. Weisen Sie ihr die Gruppe Board members zu"),
        "{}",
        german.text
    );
    let live = find(&letters, IT, "Room \"Board\" is live");
    assert!(
        live.text.contains("https://portal.example/sso/contoso"),
        "{}",
        live.text
    );
    assert!(
        live.text
            .contains(&format!("https://portal.example/rooms/{}", room.order)),
        "{}",
        live.text
    );
    let submitted = find(&letters, SUPPORT, "New order: room \"Board\" for Contoso AG");
    // Either node may have written it, and each knows itself by the address that it listens on.
    assert!(submitted.text.contains(&format!("/orders/{}", room.order)) && !order.is_empty());

    stage.idp.remove_members(&crowd.group, &[&crowd.users[0]]);
    stage.idp.add_members(&crowd.group, &[&crowd.users[0]]);
    let letters = mailbox.has_taken(13).await;
    let back = find(&letters, SUPPORT, "ben@contoso.com is back in room \"Board\"");
    assert!(
        back.text.contains("There is one former membership"),
        "{}",
        back.text
    );
    let ids: std::collections::BTreeSet<_> =
        letters.iter().map(|letter| letter.header("message-id")).collect();
    assert_eq!(ids.len(), 13, "each is another e-mail");
    let now = stands(&api).await;
    assert_eq!((&now["waiting"], &now["dead"]), (&json!(0), &json!(0)), "{now:#}");
    assert_eq!(mailbox.letters().len(), 13);
}

/// The feed is told from where it was when notifications were first on.
async fn has_begun(api: &Client) {
    eventually("the mail job to begin", || async {
        let now = stands(api).await;
        now["begun"].as_bool().filter(|begun| *begun)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_mail_server_does_not_take_is_tried_again_and_given_up_only_for_a_reason() {
    let Some(mut mailbox) = Mailbox::start().await else {
        return;
    };
    let more = format!("support = [\"{SUPPORT}\", \"later@vendor.example\", \"nobody@vendor.example\"]\n");
    let world = World::with(&config(&mailbox, &more));
    let server = world.serve().await;
    let (api, desk) = (world.api(&server), world.desk(&server));
    has_begun(&api).await;
    mailbox.down().await;
    desk.order(&Order::default()).await;
    eventually("an attempt to fail", || async {
        let queue = stands(&api).await["queue"].as_array().cloned()?;
        let failed = queue.iter().filter(|mail| mail["error"].is_string());
        (queue.len() == 3 && failed.count() > 0).then_some(())
    })
    .await;
    assert!(mailbox.letters().is_empty());

    // What waits outlives the process.
    server.terminate().await;
    mailbox.up().await;
    let server = world.serve().await;
    let api = world.api(&server);
    let letters = mailbox.has_taken(2).await;
    for to in [SUPPORT, "later@vendor.example"] {
        assert_eq!(
            subjects(&letters, to),
            ["New order: room \"Board\" for Contoso AG"]
        );
    }
    let dead = eventually("the dead letter", || async {
        let now = stands(&api).await;
        (now["dead"] == 1 && now["waiting"] == 0).then(|| now["dead_letters"][0].clone())
    })
    .await;
    assert_eq!(dead["recipient"], "nobody@vendor.example");
    let error = dead["error"].as_str().unwrap_or_default();
    assert!(error.contains("there is nobody of that name"), "{error}");
    let retry = format!("/notifications/{}/retry", dead["id"].as_str().unwrap_or_default());
    api.post(&retry, &json!({})).await.expect(204);
    eventually("it to be given up again", || async {
        let now = stands(&api).await;
        (now["dead_letters"][0]["attempts"] == 2).then_some(())
    })
    .await;
    assert_eq!(mailbox.letters().len(), 2, "nothing came twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_with_a_password_and_without_a_way_into_the_headers() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let authority = KeyPair::generate().expect("a key");
    let mut own = CertificateParams::new(Vec::new()).expect("names");
    own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = own.self_signed(&authority).expect("a certificate");
    let key = KeyPair::generate().expect("a key");
    let leaf = CertificateParams::new(vec!["localhost".to_owned()])
        .expect("names")
        .signed_by(&key, &Issuer::from_params(&own, &authority))
        .expect("a certificate");
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("the folder is ours");
        path.to_str().expect("a path in UTF-8").to_owned()
    };
    let files = [
        write("chain.pem", leaf.pem()),
        write("key.pem", key.serialize_pem()),
    ];
    let ca = write("ca.pem", root.pem());
    let Some(mailbox) = Mailbox::start_with(&[&files[0], &files[1], "usher", "s3cret"]).await else {
        return;
    };
    let smtp = |password: &str| Config {
        more: format!(
            "[notifications]\nfrom = \"usher@contoso.com\"\nsupport = [\"{SUPPORT}\"]\n[notifications.smtp]\n\
             host = \"localhost\"\nport = {}\nuser = \"usher\"\npassword = \"{password}\"\nextra_ca = {{ file = \"{ca}\" }}\n",
            mailbox.port()
        ),
        ..Config::default()
    };
    let world = World::with(&smtp("wrong"));
    let server = world.serve().await;
    let test = json!({ "to": "anna@contoso.com", "language": "de" });
    let refused = world
        .api(&server)
        .post("/notifications/test", &test)
        .await
        .expect(200);
    assert_eq!(refused.body["sent"], false, "{refused:?}");
    server.terminate().await;

    world.configure(&smtp("s3cret"));
    let server = world.serve().await;
    let (api, desk) = (world.api(&server), world.desk(&server));
    let sent = api.post("/notifications/test", &test).await.expect(200);
    assert_eq!(sent.body, json!({ "sent": true, "error": null }));
    let letters = mailbox.has_taken(1).await;
    assert!(letters[0].tls && letters[0].signed_in);
    assert_eq!(letters[0].subject(), "Usher kann Ihnen E-Mails senden");
    for to in [
        "anna@contoso.com\r\nBcc: eve@evil.example",
        "anna",
        "a@b.example, c@d.example",
    ] {
        api.post("/notifications/test", &json!({ "to": to }))
            .await
            .refused(422);
    }

    has_begun(&api).await;
    let room = "Board\" <img src=x> Bcc: eve@evil.example";
    let order = Order {
        room,
        ..Order::default()
    };
    desk.order(&order).await;
    let letters = mailbox.has_taken(2).await;
    let letter = &letters[1];
    assert_eq!(
        letter.subject(),
        format!("New order: room \"{room}\" for Contoso AG")
    );
    assert_eq!(letter.to, [SUPPORT]);
    assert!(
        !letter.names.iter().any(|name| name == "bcc"),
        "{:?}",
        letter.names
    );
    assert!(!letter.html.contains("<img"), "{}", letter.html);
    assert!(letter.html.contains("&lt;img src=x&gt;"), "{}", letter.html);
}
