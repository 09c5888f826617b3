//! What a unit can say to the database.

use proptest::prelude::*;
use usher_storage::{FromValue, Row, Storage, StorageError, Value};
use uuid::Uuid;

use crate::world::fresh;

async fn query(storage: &Storage, sql: &'static str, params: Vec<Value>) -> Vec<Row> {
    let work = storage.write(move |tx| {
        let params = params.clone();
        Box::pin(async move { tx.query(sql, &params).await })
    });
    let rows: Result<Vec<Row>, StorageError> = work.await;
    rows.unwrap()
}

fn column<T: for<'r> FromValue<'r>>(rows: &[Row]) -> Vec<T> {
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

#[tokio::test]
async fn placeholders_go_by_their_number() {
    let (_world, storage) = fresh().await;
    let rows = query(&storage, "SELECT $2, $1, $2", vec![1_i64.into(), "two".into()]).await;
    assert_eq!(rows[0].get::<&str>(0).unwrap(), "two");
    assert_eq!(rows[0].get::<i64>(1).unwrap(), 1);
    assert_eq!(rows[0].get::<String>(2).unwrap(), "two");
}

#[tokio::test]
async fn a_list_may_hold_numbers_texts_or_uuids() {
    let (_world, storage) = fresh().await;
    let rows = query(
        &storage,
        "SELECT value FROM rarray($1) ORDER BY 1",
        vec![vec![3_i64, 1, 2].into()],
    )
    .await;
    assert_eq!(column::<i64>(&rows), [1, 2, 3]);

    let texts = vec!["b".to_owned(), "a".to_owned(), String::new()];
    let rows = query(
        &storage,
        "SELECT value FROM rarray($1) ORDER BY 1",
        vec![texts.into()],
    )
    .await;
    assert_eq!(column::<String>(&rows), ["", "a", "b"]);

    let uuids: Vec<_> = [3, 1, 2].map(Uuid::from_u128).into();
    query(
        &storage,
        "INSERT INTO room (id, slug) SELECT value, hex(value) FROM rarray($1)",
        vec![uuids.into()],
    )
    .await;
    let some = vec![Uuid::from_u128(2), Uuid::from_u128(9), Uuid::from_u128(3)];
    let rows = query(
        &storage,
        "SELECT id FROM room WHERE id IN (SELECT value FROM rarray($1)) ORDER BY id",
        vec![some.into()],
    )
    .await;
    assert_eq!(column::<Uuid>(&rows), [2, 3].map(Uuid::from_u128));

    let rows = query(
        &storage,
        "SELECT value FROM rarray($1)",
        vec![Vec::<i64>::new().into()],
    )
    .await;
    assert_eq!(rows.len(), 0);
}

#[tokio::test]
async fn one_statement_runs_for_many_rows() {
    let (_world, storage) = fresh().await;
    let work = storage.write(|tx| {
        Box::pin(async move {
            let insert =
                "INSERT INTO room (id, slug, size) VALUES ($1, $2, $3) ON CONFLICT (slug) DO NOTHING";
            let rows: Vec<[Value; 3]> = (0..500_u32)
                .map(|number| {
                    let slug = format!("room-{}", number % 400);
                    [Uuid::from_u128(number.into()).into(), slug.into(), number.into()]
                })
                .collect();
            let changed = tx.execute_many(insert, &rows).await?;
            let none = tx.execute_many(insert, &Vec::<Vec<Value>>::new()).await?;
            Ok((changed, none, tx.statements()))
        })
    });
    let result: Result<_, StorageError> = work.await;
    assert_eq!(result.unwrap(), (400, 0, 2));
    let rows = query(&storage, "SELECT CAST(sum(size) AS BIGINT) FROM room", vec![]).await;
    assert_eq!(column::<i64>(&rows), [(0..400).sum::<i64>()]);
}

#[tokio::test]
async fn a_change_with_returning_is_done_whole_although_one_row_is_taken() {
    let (_world, storage) = fresh().await;
    let work = storage.write(|tx| {
        Box::pin(async move {
            let insert = "INSERT INTO entry (text) SELECT value FROM rarray($1) RETURNING id";
            let texts: Vec<_> = (0..100).map(|number| number.to_string()).collect();
            tx.query_opt(insert, &[texts.into()])
                .await?
                .map(|row| row.get::<i64>(0))
                .transpose()
        })
    });
    let first: Result<Option<i64>, StorageError> = work.await;
    assert_eq!(first.unwrap(), Some(1));
    assert_eq!(
        column::<i64>(&query(&storage, "SELECT count(*) FROM entry", vec![]).await),
        [100]
    );
}

#[tokio::test]
async fn a_row_that_has_to_be_there_is_missed() {
    let (_world, storage) = fresh().await;
    let work = storage.write(|tx| {
        Box::pin(async move {
            let missing = tx.query_one("SELECT id FROM entry", &[]).await;
            assert!(matches!(missing, Err(StorageError::NoRow)), "{missing:?}");
            tx.query_opt("SELECT id FROM entry", &[]).await
        })
    });
    let none: Result<Option<Row>, StorageError> = work.await;
    assert_eq!(none.unwrap(), None);
}

#[tokio::test]
async fn built_text_takes_parameters_like_any_other() {
    let (_world, storage) = fresh().await;
    let work = storage.read(|tx| {
        Box::pin(async move {
            let sql = ["SELECT $1", " || $2"].concat();
            tx.query_built(&sql, &["a".into(), "b".into()]).await
        })
    });
    let rows: Result<Vec<Row>, StorageError> = work.await;
    assert_eq!(column::<String>(&rows.unwrap()), ["ab"]);
}

#[tokio::test]
async fn a_column_of_another_type_is_an_error() {
    let (_world, storage) = fresh().await;
    let rows = query(
        &storage,
        "SELECT NULL, 'text', 2, -1, $1",
        vec![vec![0_u8].into()],
    )
    .await;
    let row = &rows[0];
    assert_eq!(row.get::<Option<i64>>(0).unwrap(), None);
    for wrong in [
        row.get::<i64>(0).map(drop),
        row.get::<i64>(1).map(drop),
        row.get::<Option<i64>>(1).map(drop),
        row.get::<bool>(2).map(drop),
        row.get::<u32>(3).map(drop),
        row.get::<Uuid>(4).map(drop),
        row.get::<String>(4).map(drop),
        row.get::<i64>(5).map(drop),
    ] {
        assert!(matches!(wrong, Err(StorageError::Column { .. })), "{wrong:?}");
    }
}

/// The values of one column in some rows, NULL among them. The last one says which column it is.
fn columns() -> impl Strategy<Value = Vec<Value>> {
    fn some(value: impl Strategy<Value = Value> + Clone + 'static) -> BoxedStrategy<Vec<Value>> {
        let nullable = prop_oneof![1 => Just(Value::Null), 4 => value.clone()];
        (prop::collection::vec(nullable, 0..20), value)
            .prop_map(|(mut values, last)| {
                values.push(last);
                values
            })
            .boxed()
    }
    let number = prop_oneof![
        any::<i64>().prop_map(Value::Int),
        any::<bool>().prop_map(Value::Bool)
    ];
    prop_oneof![
        some(number.boxed()),
        // PostgreSQL has no place for the character NUL in a text.
        some("[^\\x00]*".prop_map(Value::from).boxed()),
        some(any::<Vec<u8>>().prop_map(Value::Blob).boxed()),
        some(
            any::<u128>()
                .prop_map(|bits| Value::Uuid(Uuid::from_u128(bits)))
                .boxed()
        ),
    ]
}

/// The column that holds values of this kind.
fn column_of(value: &Value) -> (&'static str, &'static str) {
    match value {
        Value::Null | Value::Int(_) | Value::Bool(_) => (
            "INSERT INTO anything (number) VALUES ($1)",
            "SELECT number FROM anything ORDER BY id",
        ),
        Value::Text(_) => (
            "INSERT INTO anything (text) VALUES ($1)",
            "SELECT text FROM anything ORDER BY id",
        ),
        Value::Blob(_) => (
            "INSERT INTO anything (bytes) VALUES ($1)",
            "SELECT bytes FROM anything ORDER BY id",
        ),
        Value::Uuid(_) => (
            "INSERT INTO anything (uuid) VALUES ($1)",
            "SELECT uuid FROM anything ORDER BY id",
        ),
        list => panic!("{list:?} is no column's value"),
    }
}

/// The value that a row holds, read as what was stored.
fn read_as(stored: &Value, row: &Row) -> Result<Value, StorageError> {
    Ok(match stored {
        Value::Null => row.get::<Option<i64>>(0)?.into(),
        Value::Int(_) => row.get::<i64>(0)?.into(),
        Value::Bool(_) => row.get::<bool>(0)?.into(),
        Value::Text(_) => row.get::<String>(0)?.into(),
        Value::Blob(_) => row.get::<Vec<u8>>(0)?.into(),
        Value::Uuid(_) => row.get::<Uuid>(0)?.into(),
        list => panic!("{list:?} is no column's value"),
    })
}

#[test]
fn values_come_back_as_they_went_in() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (_world, storage) = runtime.block_on(fresh());
    proptest!(ProptestConfig::with_cases(64), |(values in columns())| {
        let stored = values.clone();
        let (insert, select) = values.iter().map(column_of).next_back().unwrap();
        let rows: Result<Vec<Row>, StorageError> = runtime.block_on(storage.write(move |tx| {
            let rows: Vec<_> = stored.iter().map(|value| [value.clone()]).collect();
            Box::pin(async move {
                tx.execute("DELETE FROM anything", &[]).await?;
                tx.execute_many(insert, &rows).await?;
                tx.query(select, &[]).await
            })
        }));
        let rows = rows.unwrap();
        prop_assert_eq!(rows.len(), values.len());
        for (value, row) in values.iter().zip(&rows) {
            prop_assert_eq!(&read_as(value, row).unwrap(), value);
        }
    });
}
