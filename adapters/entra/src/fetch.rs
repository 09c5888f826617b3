//! Users by their ids, twenty in one request.
//!
//! <https://learn.microsoft.com/graph/json-batching>

use std::time::Duration;

use serde_json::{Value, json};
use usher_core::{AdapterError, ErrorKind, RetryAdvice};

use crate::adapter::Pull;
use crate::client::{Found, Graph, guid, odd};
use crate::wire::{Batch, BatchAnswer, USER_SELECT, User};

const OPERATION: &str = "read_users";

/// The most requests in a batch.
const MOST: usize = 20;

/// What to wait after 429 without a time.
const LATER: Duration = Duration::from_secs(30);

/// Where users are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Among those that are there.
    Directory,
    /// In the recycle bin.
    RecycleBin,
}

/// A user that was asked for.
#[derive(Debug)]
pub(crate) enum Fetched {
    User(Box<User>),
    NotFound,
    /// With the reason.
    Refused(String),
}

impl Pull {
    /// Looks for users; the answer has one entry for each id, in their order.
    pub(crate) async fn fetch(&self, place: Place, ids: &[&str]) -> Result<Vec<Fetched>, AdapterError> {
        let mut fetched = Vec::with_capacity(ids.len());
        for part in ids.chunks(MOST) {
            fetched.extend(self.fetch_part(place, part).await?);
        }
        Ok(fetched)
    }

    async fn fetch_part(&self, place: Place, ids: &[&str]) -> Result<Vec<Fetched>, AdapterError> {
        if ids.iter().any(|id| guid(id).is_none()) {
            return Err(odd(OPERATION, "a user has no GUID as its id"));
        }
        let requests: Vec<Value> = ids
            .iter()
            .enumerate()
            .map(|(number, id)| {
                let url = match place {
                    Place::Directory => Graph::batched(&["users", id], &[("$select", USER_SELECT)]),
                    Place::RecycleBin => Graph::batched(&["directory", "deletedItems", id], &[]),
                };
                json!({ "id": number.to_string(), "method": "GET", "url": url })
            })
            .collect();
        let url = self.graph.url(&["$batch"], &[]);
        let batch: Batch = match self
            .graph
            .post(OPERATION, &url, &json!({ "requests": requests }))
            .await?
        {
            Found::Yes(batch) => batch,
            Found::No(refusal) => return Err(refusal.error),
        };
        let mut answers: Vec<Option<Fetched>> = ids.iter().map(|_| None).collect();
        for answer in batch.responses {
            let number = answer
                .id
                .parse::<usize>()
                .ok()
                .filter(|number| *number < ids.len());
            let number =
                number.ok_or_else(|| odd(OPERATION, "a batch holds an answer that was not asked for"))?;
            answers[number] = Some(judge(answer, ids[number])?);
        }
        let answers: Option<Vec<Fetched>> = answers.into_iter().collect();
        answers.ok_or_else(|| odd(OPERATION, "a batch lacks an answer"))
    }
}

/// Reads one answer of a batch; what would end a read of its own ends this one.
fn judge(answer: BatchAnswer, id: &str) -> Result<Fetched, AdapterError> {
    let error = |kind, advice, message: &str| Err(AdapterError::new(kind, advice, OPERATION, message));
    match answer.status {
        200..=299 => {
            let user: User = serde_json::from_value(answer.body)
                .map_err(|_| odd(OPERATION, "a batch holds a user that is not what Graph documents"))?;
            if !user.id.eq_ignore_ascii_case(id) {
                return Err(odd(OPERATION, "a batch holds another user than was asked for"));
            }
            Ok(Fetched::User(Box::new(user)))
        }
        404 => Ok(Fetched::NotFound),
        429 => error(
            ErrorKind::RateLimited,
            RetryAdvice::After(wait(&answer)),
            "Graph asks for patience inside a batch",
        ),
        401 => error(
            ErrorKind::Unauthorised,
            RetryAdvice::Now,
            "the access token ended inside a batch",
        ),
        500.. => error(
            ErrorKind::Unavailable,
            RetryAdvice::After(LATER),
            "Graph failed inside a batch",
        ),
        403 => Ok(Fetched::Refused(
            "Graph does not show the user; grant the application permission User.Read.All".into(),
        )),
        status => Ok(Fetched::Refused(format!("Graph answers {status} for the user"))),
    }
}

fn wait(answer: &BatchAnswer) -> Duration {
    let headers = answer.headers.iter().flatten();
    let found = headers
        .filter(|(name, _)| name.eq_ignore_ascii_case("retry-after"))
        .find_map(|(_, value)| {
            value
                .as_str()
                .map_or_else(|| value.as_u64(), |text| text.parse().ok())
        });
    found.map_or(LATER, Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef";

    fn answer(json: &Value) -> Result<Fetched, AdapterError> {
        judge(serde_json::from_value(json.clone()).unwrap(), ID)
    }

    #[test]
    fn answers_inside_a_batch_are_judged_one_by_one() {
        let found = answer(&json!({"id": "0", "status": 200, "body": {"id": ID}})).unwrap();
        assert!(matches!(found, Fetched::User(user) if user.id == ID));
        let found = answer(&json!({"id": "0", "status": 404, "body": {}})).unwrap();
        assert!(matches!(found, Fetched::NotFound));
        let found = answer(&json!({"id": "0", "status": 403})).unwrap();
        assert!(matches!(found, Fetched::Refused(reason) if reason.contains("User.Read.All")));
        let other = answer(&json!({"id": "0", "status": 200, "body": {"id": "b"}})).unwrap_err();
        assert_eq!(other.kind(), ErrorKind::Protocol);
    }

    #[test]
    fn patience_asked_for_inside_a_batch_is_advised() {
        let error = answer(&json!({"id": "0", "status": 429, "headers": {"Retry-After": "7"}})).unwrap_err();
        assert_eq!(error.advice(), RetryAdvice::After(Duration::from_secs(7)));
        let error = answer(&json!({"id": "0", "status": 429})).unwrap_err();
        assert_eq!(
            (error.kind(), error.advice()),
            (ErrorKind::RateLimited, RetryAdvice::After(LATER))
        );
    }
}
