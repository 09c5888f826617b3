//! Backups of SQLite, taken beside a running server and put back.

use std::path::Path;

use tokio::task::JoinSet;

use super::{Deployment, keep_data_at, user};
use crate::harness::{World, eventually};

const URL: &str = "sqlite:usher.db";

fn backups(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.expect("it is there").file_name());
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_beside_a_busy_server_is_put_back_with_everything_acknowledged_before() {
    let deployment = Deployment::at(URL).await;
    let world = &deployment.world;
    let server = world.serve().await;
    let before = deployment.answers(&server).await;
    let mut pushing = JoinSet::new();
    for client in 0..4 {
        let scim = deployment.scim(&server);
        pushing.spawn(async move {
            for n in 0..60 {
                scim.post("/Users", &user(&format!("busy{client}-{n}")))
                    .await
                    .expect(201);
            }
        });
    }
    let taken = tokio::task::block_in_place(|| world.cli_json(&["backup", "--to", "busy.db"]));
    pushing.join_all().await;
    assert_eq!(taken["manifest"]["organisation"], "Contoso AG");
    let quiet = tokio::task::block_in_place(|| world.cli_json(&["backup"]));
    assert!(
        quiet["manifest"]["tables"]
            .as_array()
            .expect("a list")
            .iter()
            .any(|table| table["table"] == "source_user" && table["rows"] == 5 + 4 * 60),
        "{quiet:#}"
    );

    // Not while the server runs.
    for args in [
        ["restore-backup", "busy.db", "--replace"],
        ["restore-backup", "busy.db", "--json"],
    ] {
        let refused = world.cli(&args).refused();
        assert_eq!(refused.code, Some(4), "{refused}");
    }
    server.terminate().await;
    let refused = world.cli(&["restore-backup", "busy.db"]).refused();
    assert!(refused.stderr.contains("--replace"), "{refused}");
    let restored = world.cli_json(&["restore-backup", "busy.db", "--replace"]);
    assert!(
        restored["kept"]
            .as_str()
            .is_some_and(|kept| kept.contains(".replaced")),
        "{restored:#}"
    );

    let server = world.serve().await;
    let mut after = deployment.answers(&server).await;
    for (path, answer) in &mut after.answers {
        // Those who came while the backup was taken may be in it.
        if path.starts_with("/Users?count") {
            let users = answer["Resources"].as_array_mut().expect("a list");
            users.retain(|user| !user["userName"].as_str().unwrap_or_default().starts_with("busy"));
            let left = users.len();
            answer["totalResults"] = left.into();
            answer["itemsPerPage"] = left.into();
        }
    }
    after.are_those_of(&before);
    deployment.goes_on(&server, "frida").await;
    server.terminate().await;
    world.cli(&["doctor"]).succeeded();
}

/// Whatever moment the kill falls into: what has the name of a backup is one.
#[tokio::test]
async fn a_backup_that_is_killed_leaves_nothing_that_looks_like_one() {
    let deployment = Deployment::at(URL).await;
    let world = &deployment.world;
    let folder = world.folder().join("kept");
    std::fs::create_dir(&folder).expect("the folder is ours");
    for round in 0..6 {
        let name = format!("kept/{round}.db");
        let mut child = world.start(&["backup", "--to", &name]);
        // Later in each round, until one is quicker than the kill.
        let looked = std::cell::Cell::new(0);
        eventually("the backup to have begun", || {
            looked.set(looked.get() + usize::from(!backups(&folder).is_empty()));
            let (looked, ended) = (looked.get(), child.try_wait().expect("a child of ours"));
            async move { (looked > round || ended.is_some()).then_some(()) }
        })
        .await;
        // Both fail only when it has ended already.
        let _ = child.kill();
        let _ = child.wait();
        for name in backups(&folder) {
            if name.ends_with(".db") {
                let file = folder.join(&name);
                let into = format!("sqlite:proof-{round}-{name}");
                world
                    .cli(&["restore-backup", &file.display().to_string(), "--into", &into])
                    .succeeded();
            } else {
                assert!(name.contains(".partial") || name.ends_with(".db.json"), "{name}");
            }
        }
    }
    world.cli(&["backup", "--to", "kept/last.db"]).succeeded();
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_its_exit_code() {
    let deployment = Deployment::at(URL).await;
    let world = &deployment.world;
    world.cli(&["backup", "--to", "mine.db"]).succeeded();
    let again = world.cli(&["backup", "--to", "mine.db"]).refused();
    assert_eq!(again.code, Some(4), "{again}");
    let nowhere = world.cli(&["backup", "--to", "no/such/folder/b.db"]).refused();
    assert_eq!(nowhere.code, Some(5), "{nowhere}");
    let missing = world
        .cli(&["restore-backup", "not-there.db", "--into", "sqlite:x.db"])
        .refused();
    assert_eq!(missing.code, Some(5), "{missing}");

    let file = world.folder().join("mine.db");
    let whole = std::fs::read(&file).expect("it was made");
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    std::fs::write(&file, damaged).expect("the folder is ours");
    let refused = world
        .cli(&["restore-backup", "mine.db", "--into", "sqlite:x.db"])
        .refused();
    assert_eq!(refused.code, Some(4), "{refused}");
    std::fs::write(&file, whole).expect("the folder is ours");

    let other = World::new();
    keep_data_at(&other, URL);
    let config = std::fs::read_to_string(other.config_path()).expect("it was made");
    std::fs::write(other.config_path(), config.replace("Contoso AG", "Fabrikam Inc"))
        .expect("the folder is ours");
    let mine = file.display().to_string();
    let refused = other.cli(&["restore-backup", &mine]).refused();
    assert_eq!(refused.code, Some(4), "{refused}");
    assert!(refused.stderr.contains("Contoso AG"), "{refused}");
    assert!(!other.folder().join("usher.db").exists());
    other
        .cli(&["restore-backup", &mine, "--other-organisation"])
        .succeeded();
    assert!(other.folder().join("usher.db").exists());
}

#[tokio::test]
async fn for_postgres_the_command_to_use_is_shown_without_the_password() {
    let world = World::new();
    keep_data_at(&world, "postgres://usher:s3cret@db.example:5432/usher");
    let refused = world.cli(&["backup"]).refused();
    assert_eq!(refused.code, Some(4), "{refused}");
    assert!(
        refused.stderr.contains("pg_dump --format=custom")
            && refused
                .stderr
                .contains("'postgres://usher@db.example:5432/usher'"),
        "{refused}"
    );
    assert!(!refused.stderr.contains("s3cret"), "{refused}");
    let refused = world.cli(&["restore-backup", "b.db"]).refused();
    assert_eq!(refused.code, Some(4), "{refused}");
}
