//! Errors that a caller can decide on are variants of their own.

use usher_storage::{Storage, StorageError, Value};
use uuid::Uuid;

use crate::world::fresh;

/// Runs the statements in one unit and returns the error of it.
async fn error<const N: usize>(
    storage: &Storage,
    statements: [(&'static str, Vec<Value>); N],
) -> StorageError {
    let work = storage.write(move |tx| {
        let statements = statements.clone();
        Box::pin(async move {
            for (sql, params) in statements {
                tx.execute(sql, &params).await?;
            }
            Ok(())
        })
    });
    let result: Result<(), StorageError> = work.await;
    result.unwrap_err()
}

/// Adds a room.
fn room(id: u128, slug: &str) -> (&'static str, Vec<Value>) {
    (
        "INSERT INTO room (id, slug) VALUES ($1, $2)",
        vec![Uuid::from_u128(id).into(), slug.into()],
    )
}

#[tokio::test]
async fn a_clash_names_the_columns_or_the_index() {
    let (_world, storage) = fresh().await;
    for (statements, expected) in [
        ([room(1, "a"), room(1, "b")], "room.id"),
        ([room(1, "a"), room(2, "a")], "room.slug"),
        (
            ["a", "A"].map(|text| ("INSERT INTO label VALUES ($1)", vec![text.into()])),
            "label_by_folded_text",
        ),
    ] {
        let error = error(&storage, statements).await;
        assert!(
            matches!(&error, StorageError::Unique { on } if on == expected),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_missing_row_that_is_referred_to_is_a_foreign_key_error() {
    let (_world, storage) = fresh().await;
    let door = ("INSERT INTO door (room_id) VALUES ($1)", vec![Uuid::nil().into()]);
    let error = error(&storage, [door]).await;
    assert!(matches!(error, StorageError::ForeignKey), "{error:?}");
}

#[tokio::test]
async fn a_check_is_named() {
    let (_world, storage) = fresh().await;
    let error = error(&storage, [room(1, "")]).await;
    assert!(
        matches!(&error, StorageError::Check { name } if name == "slug_is_set"),
        "{error:?}"
    );
}

#[tokio::test]
async fn parameters_that_do_not_fit_the_placeholders_are_misuse() {
    let (_world, storage) = fresh().await;
    for (sql, given) in [
        ("INSERT INTO entry (id, text) VALUES ($1, $2)", 1),
        ("INSERT INTO entry (id, text) VALUES ($1, $2)", 3),
        ("INSERT INTO entry (id, text) VALUES ($1, $3)", 2),
        ("INSERT INTO entry (id, text) VALUES (?1, ?2)", 2),
    ] {
        let error = error(&storage, [(sql, vec![Value::Null; given])]).await;
        assert!(matches!(error, StorageError::Misuse(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_statement_that_does_not_parse_says_why() {
    let (_world, storage) = fresh().await;
    let error = error(&storage, [("SELEC 1", vec![])]).await;
    let StorageError::Opaque(source) = error else {
        panic!("{error:?}")
    };
    assert!(source.to_string().contains("syntax error"), "{source}");
}
