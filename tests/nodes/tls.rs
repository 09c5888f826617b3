//! A node and its database with a network in between.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::json;
use usher_testpg::{Certificate, Cluster, Options};

use crate::harness::{Config, World};

const ENCRYPTED: &str = "SELECT count(*), count(*) FILTER (WHERE s.ssl) FROM pg_stat_ssl s
    JOIN pg_stat_activity a ON a.pid = s.pid WHERE a.application_name = 'usher'";

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_trusts_the_server_that_its_address_names_and_no_other() {
    if usher_testpg::is_left_out() {
        return;
    }
    let (ours, another) = (authority("ours"), authority("another"));
    let key = KeyPair::generate().expect("a key");
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let leaf = leaf.signed_by(&key, &ours).expect("a certificate");
    let cluster = Cluster::start(Options {
        tcp: true,
        certificate: Some(Certificate {
            chain: leaf.pem(),
            key: key.serialize_pem(),
        }),
        ..Options::default()
    })
    .expect("PostgreSQL starts");
    let database = cluster.database().await.expect("a database");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("the folder is ours");
        path.display().to_string()
    };
    let (right, wrong) = (file("ours.pem", &ours.pem()), file("another.pem", &another.pem()));
    let by_address = database.url();
    let by_name = by_address.replace("127.0.0.1", "localhost");
    let world = World::new();
    let keep_data_at = |url: &str, root: &str| {
        let address = format!("{url}?sslmode=verify-full&sslrootcert={root}");
        configure(&world, &file("address", &address));
    };
    let password = by_address
        .split_once('@')
        .and_then(|(before, _)| before.rsplit_once(':'))
        .map(|(_, password)| password)
        .expect("a password");

    for (url, root, reason) in [
        (&by_name, &wrong, "signed by nobody who is trusted"),
        (&by_address, &right, "is for another name"),
    ] {
        keep_data_at(url, root);
        for command in [&["serve"][..], &["source", "list"], &["doctor"]] {
            let refused = world.cli(command).refused();
            let said = format!("{}{}", refused.stdout, refused.stderr);
            assert!(said.contains(reason), "{refused}");
            assert!(!said.contains(password), "{refused}");
        }
    }

    keep_data_at(&by_name, &right);
    let server = world.serve().await;
    let user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "ada@contoso.com",
        "active": true,
    });
    let scim = world.scim(&server, "idp");
    scim.post("/Users", &user).await.expect(201);
    let judge = database.connect().await.expect("the cluster runs");
    let counted = judge.query_one(ENCRYPTED, &[]).await.expect("the sessions");
    let (all, encrypted): (i64, i64) = (counted.get(0), counted.get(1));
    assert!(all > 0);
    assert_eq!(all, encrypted);
    let (status, output) = server.terminate().await;
    assert!(status.success(), "{status}");
    assert!(!output.contains(password), "{}", output.text());
}

/// As the documentation has it: where the address has a password, it comes from a file.
fn configure(world: &World, file: &str) {
    const PLACE: &str = "elsewhere";
    world.configure(&Config {
        storage: Some(PLACE.to_owned()),
        ..Config::default()
    });
    let path = world.config_path();
    let text = std::fs::read_to_string(&path).expect("it was just written");
    let text = text.replace(&format!("\"{PLACE}\""), &format!("{{ file = \"{file}\" }}"));
    std::fs::write(&path, text).expect("the folder is ours");
}
