//! Nothing secret leaves: under the most talkative logs, in whatever anybody is shown, and in the database; and nothing
//! secret is shown to a host that nobody configured.

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use serde_json::json;
use usher_fakes::okta::{Org, Rights, ServiceApp};
use usher_fakes::scim::{CLIENT_ID, CLIENT_SECRET, TOKEN};
use usher_fakes::{Fault, Faults, Served};

use super::idp::API_TOKEN;
use super::{Idp, Kind, Rig, Way};
use crate::harness::{Client, Source};

const TALKATIVE: &str = "[log]\nformat = \"json\"\nfilter = \"trace\"\n";
const HOOK_SECRET: &str = "a-secret-of-the-event-hook-0123456789";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_secret_and_a_pushers_token_stay_inside() {
    let idp = Idp::new(Kind::Entra).await;
    idp.graph()
        .set(|options| options.secret = Some("s3cret-0f-the-appl1cation".into()));
    let source = idp.source("both");
    Whole::of(idp, Way::Both, source, &["s3cret-0f-the-appl1cation"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_with_its_key_stays_inside() {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).expect("an RSA key");
    let params = CertificateParams::new(vec!["usher.example".into()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate").pem();
    let idp = Idp::new(Kind::Entra).await;
    idp.graph()
        .set(|options| options.certificate_pem = Some(certificate.clone()));
    let pem = key.serialize_pem();
    let source = Source {
        settings: format!("{}client_certificate = '''\n{pem}{certificate}'''\n", idp.entra()),
        ..idp.source("pull")
    };
    Whole::of(idp, Way::Pull, source, &lines_of(&pem)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_token_and_the_secret_of_the_event_hook_stay_inside() {
    let idp = Idp::new(Kind::Okta).await;
    let mut source = idp.source("pull");
    source
        .settings
        .push_str(&format!("event_hook_secret = \"{HOOK_SECRET}\"\n"));
    Whole::of(idp, Way::Pull, source, &[API_TOKEN, HOOK_SECRET]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_key_its_assertions_and_proofs_stay_inside() {
    let idp = Idp::new(Kind::Okta).await;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key pair");
    idp.okta().take_service_app(ServiceApp {
        client_id: "0oa1serviceapplicat0".into(),
        public_key_pem: key.public_key_pem(),
        key_id: Some("the-key".into()),
        rights: Rights::all(),
        dpop: true,
    });
    let pem = key.serialize_pem();
    let source = Source {
        settings: format!(
            "org_url = \"{}\"\nclient_id = \"0oa1serviceapplicat0\"\nkey_id = \"the-key\"\nalgorithm = \"ES256\"\n\
             private_key = '''\n{pem}'''\napplication_id = \"{}\"\nsystem_log = true\n",
            idp.served().url(),
            Org::APPLICATION
        ),
        ..idp.source("pull")
    };
    Whole::of(idp, Way::Pull, source, &lines_of(&pem)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bearer_token_and_an_oauth_secret_stay_inside() {
    let idp = Idp::new(Kind::Scim).await;
    let source = idp.source("pull");
    Whole::of(idp, Way::Pull, source, &[TOKEN]).await;

    let idp = Idp::new(Kind::Scim).await;
    let source = Source {
        settings: format!(
            "[source.settings.pull]\nbase_url = \"{}\"\n[source.settings.pull.oauth]\ntoken_url = \"{}\"\n\
             client_id = \"{CLIENT_ID}\"\nclient_secret = \"{CLIENT_SECRET}\"\n",
            idp.scim().base_url(),
            idp.scim().token_url()
        ),
        ..idp.source("pull")
    };
    Whole::of(idp, Way::Pull, source, &[CLIENT_SECRET]).await;
}

/// Whatever a provider answers where the next page is, a host that nobody configured is not asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_only_an_answer_names_is_never_called() {
    for kind in [Kind::Entra, Kind::Okta, Kind::Scim] {
        let decoy = Served::start(axum::Router::new(), Faults::none())
            .await
            .expect("a free port");
        let mut rig = Rig::new(kind, Way::Pull).await.expect("no need");
        let directory = rig.idp.directory.clone();
        let group = directory.add_group("Board members");
        directory.assign(&group, true);
        for name in ["ada", "ben", "cia", "dan", "eve"] {
            rig.idp.person(name, &[&group]);
        }
        let room = rig.open("Board", &group).await;
        rig.convey().await;
        let everybody = rig.desk.inside(&room.id).await;
        assert_eq!(everybody.len(), 5, "{}", rig.story().await);

        let url = decoy.url().to_owned();
        match kind {
            Kind::Entra => rig.idp.graph().set(|options| options.links_to = Some(url)),
            Kind::Okta => rig
                .idp
                .okta()
                .behave(|behaviour| behaviour.links_lead_to = Some(url)),
            Kind::Scim => rig.idp.scim().change(|habits| habits.decoy = Some(url)),
        }
        rig.idp.person("fay", &[&group]);
        let run = rig.run_of(&json!({ "full": true })).await;
        rig.run_of(&json!({})).await;
        for args in [&["source", "check", "idp"][..], &["source", "groups", "idp"]] {
            // How it ends depends on the page; whom it calls does not.
            rig.world.cli(args);
        }
        assert!(decoy.seen().is_empty(), "{kind:?}: {:#?}", decoy.seen());
        let inside = rig.desk.inside(&room.id).await;
        assert!(
            everybody.is_subset(&inside),
            "{kind:?}: a link that leads away ends nobody: {run:#}"
        );
        if kind != Kind::Scim {
            // Its links are numbers of pages, not addresses.
            let unseen = run["not_seen"]
                .as_array()
                .is_some_and(|unseen| !unseen.is_empty());
            assert!(unseen || run["error"]["kind"] == "protocol", "{kind:?}: {run:#}");
        }
    }
}

/// The lines of a key, each of which gives it away.
fn lines_of(pem: &str) -> Vec<&str> {
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    lines.filter(|line| line.len() >= 16).collect()
}

/// Everything that somebody is shown while a room comes to life, a person is restored and reads fail.
struct Whole {
    rig: Rig,
    shown: String,
}

impl Whole {
    async fn of(idp: Idp, way: Way, source: Source, secrets: &[&str]) {
        let rig = Rig::configured(idp, way, source, TALKATIVE)
            .await
            .expect("no need");
        let mut whole = Self {
            rig,
            shown: String::new(),
        };
        let token = whole.rig.world.source_token("idp");
        let scim = Client::scim(whole.rig.server().address(), "idp", &token);
        whole.see(&scim.get("/Users").await);
        whole.see(&scim.with_token(&format!("{token}x")).get("/Users").await);
        whole.live().await;
        whole.fail().await;
        whole.look().await;
        let mut secrets: Vec<String> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        secrets.push(token);
        whole.holds_none_of(&secrets).await;
    }

    fn see(&mut self, shown: &impl std::fmt::Debug) {
        self.shown.push_str(&format!("{shown:?}\n"));
    }

    /// A room, a person back, and the event hook.
    async fn live(&mut self) {
        let directory = self.rig.idp.directory.clone();
        let group = directory.add_group("Board members");
        directory.assign(&group, true);
        self.rig.idp.person("ada", &[&group]);
        let ben = self.rig.idp.person("ben", &[&group]);
        let room = self.rig.open("Board", &group).await;
        self.rig.convey().await;
        assert!(
            self.rig.is_inside(&room, "ben@contoso.com").await,
            "{}",
            self.rig.story().await
        );
        directory.remove_member(&group, &ben);
        self.rig.convey().await;
        self.rig.quiet().await;
        directory.add_member(&group, &ben);
        self.rig.convey().await;
        let ask = json!({ "person": "ben@contoso.com", "room": room.id });
        let suggested = self.rig.desk.support.post("/restores", &ask).await.expect(201);
        let path = format!("/restores/{}/plan", suggested.id());
        let planned = self.rig.desk.support.post(&path, &json!({})).await.expect(200);
        self.see(&suggested);
        self.see(&planned);
        if self.rig.idp.kind == Kind::Okta {
            self.call_hook().await;
        }
    }

    async fn call_hook(&mut self) {
        let hooks = Client::at(self.rig.server().address());
        let body = self.rig.idp.okta().event_hook_body(0).to_string().into_bytes();
        for secret in [HOOK_SECRET, "another-secret-of-a-hook-0123456789"] {
            let headers = [("authorization", secret), ("content-type", "application/json")];
            let called = hooks
                .send_raw(reqwest::Method::POST, "/hooks/idp", &headers, Some(body.clone()))
                .await;
            self.see(&(called.status, called.headers, called.body));
        }
        self.rig.quiet().await;
    }

    /// Reads that fail in many ways.
    async fn fail(&mut self) {
        for fault in [
            Fault::Unauthorised,
            Fault::Forbidden,
            Fault::ServerError(500),
            Fault::CutConnection,
            Fault::TooManyRequests(Some(7200)),
        ] {
            self.rig.idp.faults.always("", fault);
            let run = self.rig.run_of(&json!({ "full": true })).await;
            self.see(&run);
            if fault == Fault::Unauthorised {
                let checked = self.rig.api.post("/sources/idp/check", &json!({})).await;
                self.see(&checked);
            }
            self.rig.idp.faults.clear();
        }
        match self.rig.idp.kind {
            Kind::Entra => self.rig.idp.graph().expire_access_tokens(),
            Kind::Okta => self.rig.idp.okta().expire_access_tokens(),
            Kind::Scim => self.rig.idp.scim().revoke(),
        }
        let run = self.rig.run_of(&json!({})).await;
        self.see(&run);
    }

    /// All that can be looked at.
    async fn look(&mut self) {
        for path in [
            "/sources",
            "/sources/idp",
            "/sources/idp/runs",
            "/sources/idp/drift",
            "/sources/idp/available-groups",
            "/orders",
            "/events?limit=1000",
            "/mappings",
        ] {
            let answer = self.rig.api.get(path).await;
            self.see(&answer);
        }
        for args in [
            &["source", "list"][..],
            &["source", "check", "idp"],
            &["source", "check", "idp", "--json"],
            &["source", "groups", "idp"],
            &["source", "runs", "idp"],
            &["source", "drift", "idp"],
            &["source", "sync", "idp", "--wait"],
            &["config", "check"],
            &["doctor"],
            &["events"],
        ] {
            let finished = self.rig.world.cli(args);
            self.see(&finished);
        }
        let metrics = self.rig.metrics().await;
        self.see(&metrics);
        let logs = self.rig.server().output().text();
        assert!(
            logs.contains("\"TRACE\""),
            "the logs are not talkative: {logs:.1000}"
        );
        self.shown.push_str(&logs);
    }

    /// Neither what was shown nor the database holds a secret, or what was sent to the provider to prove one.
    async fn holds_none_of(&self, configured: &[String]) {
        let mut secrets = configured.to_vec();
        for seen in self.rig.idp.served().seen() {
            for name in ["authorization", "dpop"] {
                let sent = seen.headers.get(name).and_then(|value| value.to_str().ok());
                if let Some(secret) = sent.and_then(|sent| sent.split(' ').next_back()) {
                    secrets.push(secret.to_owned());
                }
            }
        }
        secrets.sort();
        secrets.dedup();
        assert!(
            secrets.len() > configured.len() || configured.len() > 1,
            "the provider saw no credential"
        );
        for secret in &secrets {
            assert!(!self.shown.contains(secret), "{}", around(&self.shown, secret));
        }
        assert!(!self.shown.contains("PRIVATE KEY"));
        if let Some(token) = signed(&self.shown) {
            panic!("a signed token is shown: {}", around(&self.shown, token));
        }
        let kept = self
            .rig
            .world
            .place()
            .raw_text()
            .await
            .expect("the data are ours");
        assert!(kept.contains("Contoso AG"), "what is kept is not found");
        for secret in &secrets {
            assert!(!kept.contains(secret), "{}", around(&kept, secret));
        }
    }
}

/// A text that has the form of a JWT with a signature (RFC 7515 §3.1).
fn signed(text: &str) -> Option<&str> {
    let is_base64url = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    text.match_indices("eyJ").find_map(|(at, _)| {
        let rest = &text[at..];
        let (head, rest) = rest.split_once('.')?;
        let end = rest.find(|c: char| !is_base64url(c)).unwrap_or(rest.len());
        let is_jwt =
            head.chars().all(is_base64url) && rest.starts_with("eyJ") && rest[end..].starts_with('.');
        is_jwt.then_some(head)
    })
}

fn around<'a>(text: &'a str, needle: &str) -> &'a str {
    let at = text.find(needle).unwrap_or_default();
    let floor = |at: usize| {
        (0..=at)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or_default()
    };
    &text[floor(at.saturating_sub(600))..floor((at + 200).min(text.len()))]
}
