//! What a test keeps can be looked through, wherever it is.

use usher_testpg::{Cluster, Options, Place};

#[tokio::test]
async fn a_database_shows_everything_it_holds() {
    if usher_testpg::is_left_out() {
        return;
    }
    let cluster = Cluster::start(Options::default()).unwrap();
    let database = cluster.database().await.unwrap();
    let client = database.connect().await.unwrap();
    client
        .batch_execute(
            "CREATE TABLE \"odd Name\" (id BIGINT, text TEXT, bytes BYTEA);
             INSERT INTO \"odd Name\" VALUES (17, 'in words', 'in bytes'::bytea)",
        )
        .await
        .unwrap();
    let text = Place::Database(database).raw_text().await.unwrap();
    for held in ["17", "in words", "in bytes"] {
        assert!(text.contains(held), "{held}: {text}");
    }
}

#[tokio::test]
async fn a_folder_shows_everything_in_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::File(folder);
    let path = place
        .url()
        .strip_prefix("sqlite:")
        .map(std::path::PathBuf::from)
        .unwrap();
    std::fs::write(&path, b"\xffin the file").unwrap();
    std::fs::write(path.with_extension("db-wal"), b"beside it").unwrap();
    let text = place.raw_text().await.unwrap();
    assert!(
        text.contains("in the file") && text.contains("beside it"),
        "{text}"
    );
}
