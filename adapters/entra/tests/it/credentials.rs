//! Secret, certificate and federated token, and what becomes of access tokens.

use std::io::Write as _;

use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use serde_json::{Value, json};
use usher_adapter_entra::EntraConfig;
use usher_core::{AdapterError, ErrorKind, GroupQuery, ProvisioningAdapter as _};

use crate::world::{World, adapter, direct};

/// A certificate and its key in one PEM text, and the certificate alone.
pub(crate) fn certificate() -> (String, String) {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).expect("an RSA key");
    let params = CertificateParams::new(vec!["usher.example".into()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate").pem();
    (format!("{}{certificate}", key.serialize_pem()), certificate)
}

fn with(world: &World, name: &str, value: &str) -> Value {
    let mut settings = world.settings();
    let fields = settings.as_object_mut().expect("a table");
    fields.remove("client_secret");
    fields.insert(name.into(), json!(value));
    settings
}

async fn list(settings: Value) -> Result<usize, AdapterError> {
    let query = GroupQuery {
        limit: 10,
        ..GroupQuery::default()
    };
    adapter(settings)
        .list_groups(query)
        .await
        .map(|groups| groups.len())
}

#[tokio::test]
async fn a_secret_is_taken_and_a_wrong_one_refused() {
    let world = World::new().await;
    world.group("Board", &[]);
    assert_eq!(list(world.settings()).await.expect("the right secret"), 1);
    let error = list(with(&world, "client_secret", "wr0ng"))
        .await
        .expect_err("wrong");
    assert_eq!(error.kind(), ErrorKind::Unauthorised);
    assert!(!error.to_string().contains("wr0ng"), "{error}");
}

#[tokio::test]
async fn a_certificate_signs_assertions() {
    let (both, certificate_alone) = certificate();
    let world = World::new().await;
    world.group("Board", &[]);
    world
        .graph
        .set(|options| options.certificate_pem = Some(certificate_alone));
    let settings = with(&world, "client_certificate", &both);
    assert_eq!(list(settings).await.expect("a registered certificate"), 1);
    let (other, _) = certificate();
    let error = list(with(&world, "client_certificate", &other))
        .await
        .expect_err("not registered");
    assert_eq!(error.kind(), ErrorKind::Unauthorised);
}

#[tokio::test]
async fn a_certificate_without_its_key_is_refused_at_once() {
    let (_, certificate_alone) = certificate();
    let world = World::new().await;
    let settings = with(&world, "client_certificate", &certificate_alone);
    let config: EntraConfig = serde_json::from_value(settings).expect("known settings");
    let error = usher_adapter_entra::EntraAdapter::new(&config).expect_err("no key");
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
}

#[tokio::test]
async fn a_federated_token_is_read_from_its_file_each_time() {
    let world = World::new().await;
    world.group("Board", &[]);
    let assertion = "aaa.bbb.ccc";
    world
        .graph
        .set(|options| options.federated_assertion = Some(assertion.into()));
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(b"old.old.old\n").expect("written");
    let path = file.path().to_str().expect("a name in UTF-8").to_owned();
    let adapter = adapter(with(&world, "federated_token_file", &path));
    let query = || GroupQuery {
        limit: 10,
        ..GroupQuery::default()
    };
    // A federated credential takes minutes to be known everywhere after it was made.
    let error = adapter.list_groups(query()).await.expect_err("an old token");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    std::fs::write(&path, assertion).expect("written");
    assert_eq!(
        adapter.list_groups(query()).await.expect("the new token").len(),
        1
    );
}

#[tokio::test]
async fn an_access_token_that_ends_in_the_middle_is_renewed() {
    let world = World::new().await;
    let (board, _) = world.group("Board", &["ann"]);
    let adapter = world.adapter();
    for round in 1..=2 {
        let mut report = crate::world::Report::default();
        let request = usher_core::ReadRequest::of_groups(vec![direct(&board)]);
        adapter.read(request, &mut report).await.expect("a read");
        assert_eq!(report.complete(&board), Some(true));
        assert_eq!(world.graph.issued(), round);
        world.graph.expire_access_tokens();
    }
}
