//! People by the beginning of what they are called, and all of them, the newest first.

use std::collections::BTreeMap;

use usher_core::PersonId;

use super::or_end;
use super::person::{PersonRow, person_row};
use crate::{StorageError, Tx, uuids};

/// The last sign that there is: what begins with a text is below the text followed by it.
const LAST: char = char::MAX;

/// People whose address, name, or name after its first word begins with a text, at most `limit` by each. Letters outside of
/// ASCII match as they are written, or as a capital at the beginning.
pub async fn beginning_with(tx: &mut Tx<'_>, text: &str, limit: u32) -> Result<Vec<PersonRow>, StorageError> {
    const BY_EMAIL: &str = "SELECT p.id, p.email, p.display_name, p.merged_into FROM person p
        WHERE p.email >= $1 AND p.email < $2 AND p.merged_into IS NULL ORDER BY p.email LIMIT $3";
    const BY_NAME: &str = "SELECT p.id, p.email, p.display_name, p.merged_into FROM person p
        WHERE lower(p.display_name) >= $1 AND lower(p.display_name) < $2 AND p.merged_into IS NULL
        ORDER BY lower(p.display_name) LIMIT $3";
    const BY_REST_OF_NAME: &str = "SELECT p.id, p.email, p.display_name, p.merged_into FROM person p
        WHERE lower(substr(p.display_name, /*lite*/instr/*pg strpos*/(p.display_name, ' ') + 1)) >= $1
          AND lower(substr(p.display_name, /*lite*/instr/*pg strpos*/(p.display_name, ' ') + 1)) < $2
          AND p.merged_into IS NULL
        ORDER BY lower(substr(p.display_name, /*lite*/instr/*pg strpos*/(p.display_name, ' ') + 1)) LIMIT $3";
    let mut found: Vec<PersonRow> = Vec::new();
    let mut look = async |sql, text: &str| -> Result<(), StorageError> {
        let end = format!("{text}{LAST}");
        for row in tx
            .query(sql, &[text.into(), end.into(), limit.into()])
            .await?
            .iter()
        {
            let row = person_row(row)?;
            if found.iter().all(|known| known.id != row.id) {
                found.push(row);
            }
        }
        Ok(())
    };
    look(BY_EMAIL, &text.to_lowercase()).await?;
    for spelling in spellings(text) {
        look(BY_NAME, &spelling).await?;
        look(BY_REST_OF_NAME, &spelling).await?;
    }
    Ok(found)
}

/// How names that begin with a text may be stored: the engines fold the case of ASCII alone.
fn spellings(text: &str) -> Vec<String> {
    let small = text.to_lowercase();
    let mut capital = String::with_capacity(small.len());
    let mut is_start = true;
    for sign in small.chars() {
        match is_start && !sign.is_ascii() {
            true => capital.extend(sign.to_uppercase()),
            false => capital.push(sign),
        }
        is_start = sign.is_whitespace() || sign == '-';
    }
    match capital == small {
        true => vec![small],
        false => vec![small, capital],
    }
}

/// People who were not merged into others, the newest first, before one of them.
pub async fn newest(
    tx: &mut Tx<'_>,
    before: Option<PersonId>,
    limit: u32,
) -> Result<Vec<PersonRow>, StorageError> {
    let rows = tx
        .query(
            "SELECT p.id, p.email, p.display_name, p.merged_into FROM person p
             WHERE p.id < $1 AND p.merged_into IS NULL ORDER BY p.id DESC LIMIT $2",
            &[or_end(before), limit.into()],
        )
        .await?;
    rows.iter().map(person_row).collect()
}

/// Everybody who turned out to be a person.
pub async fn merged_into(tx: &mut Tx<'_>, person: PersonId) -> Result<Vec<PersonId>, StorageError> {
    let rows = tx
        .query(
            "SELECT p.id FROM person p WHERE p.merged_into = $1",
            &[person.into()],
        )
        .await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// In how many rooms people are, and how many accounts they have that may be used.
pub async fn counts(
    tx: &mut Tx<'_>,
    people: impl IntoIterator<Item = PersonId>,
) -> Result<BTreeMap<PersonId, (i64, i64)>, StorageError> {
    let rows = tx
        .query(
            "SELECT p.id, (SELECT count(*) FROM membership m WHERE m.person_id = p.id AND m.active = 1),
                    (SELECT count(*) FROM source_user u WHERE u.person_id = p.id AND u.gone_us IS NULL AND u.active = 1)
             FROM rarray($1) i CROSS JOIN person p ON p.id = i.value",
            &[uuids(people)],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_engines_do_not_fold_are_tried_small_and_as_capitals() {
        assert_eq!(spellings("Ada L"), ["ada l"]);
        assert_eq!(spellings("ümit öz"), ["ümit öz", "Ümit Öz"]);
        assert_eq!(spellings("müller"), ["müller"]);
    }
}
