//! Why a page cannot be shown, or a form was not done.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::Answer;

/// Why the API did not do what a page asked for.
#[derive(Debug, Clone)]
pub enum Failure {
    /// It said no, and why.
    Problem(Box<Problem>),
    /// It answered nothing that can be read.
    Unreadable {
        /// The status of its answer.
        status: StatusCode,
    },
    /// The form did not come from a page of this session.
    Foreign,
    /// The form cannot be read: a field that it names is missing or too long.
    Form(String),
    /// There is no such page.
    NotFound,
    /// The viewer's role has no such page.
    Forbidden,
}

/// Problem details, as the API answers them.
#[derive(Debug, Clone, Deserialize)]
pub struct Problem {
    /// The kind of problem, for people.
    pub title: String,
    /// The status.
    pub status: u16,
    /// What happened this time.
    pub detail: String,
    /// A stable word for programs.
    pub code: String,
    /// What to do next.
    #[serde(default)]
    pub next: Option<String>,
    /// The field of the request that is wrong.
    #[serde(default)]
    pub field: Option<String>,
    /// The request's id, as in the logs.
    #[serde(default)]
    pub request_id: Option<String>,
    /// With `plan_changed`: the digest to confirm now.
    #[serde(default)]
    pub digest: Option<String>,
    /// With `plan_changed`: what would happen now.
    #[serde(default)]
    pub plan: Option<Value>,
}

/// What a page tells of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it is, in a few words.
    pub title: String,
    /// What happened, in sentences.
    pub text: String,
    /// What to do next, in a sentence.
    pub next: String,
    /// The field of the form that it is about.
    pub field: String,
    /// What to name to whoever runs this.
    pub request_id: String,
}

impl Failure {
    /// A field of a form that is wrong before the API is asked; told as the API would tell it.
    pub(crate) fn invalid(field: &str, detail: &str) -> Self {
        Self::Problem(Box::new(Problem {
            title: "A field is not as it should be".into(),
            status: StatusCode::UNPROCESSABLE_ENTITY.as_u16(),
            detail: detail.to_owned(),
            code: "invalid".into(),
            next: None,
            field: Some(field.to_owned()),
            request_id: None,
            digest: None,
            plan: None,
        }))
    }

    pub(crate) fn of(answer: &Answer) -> Self {
        match serde_json::from_slice::<Problem>(&answer.body) {
            Ok(problem) => Self::Problem(Box::new(problem)),
            Err(_) => Self::Unreadable {
                status: answer.status,
            },
        }
    }

    /// The status that a page answers with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Problem(problem) => StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_GATEWAY),
            Self::Unreadable { status } if status.is_client_error() => *status,
            Self::Unreadable { .. } => StatusCode::BAD_GATEWAY,
            Self::Foreign | Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Form(_) => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
        }
    }

    /// The stable word of the API's problem; empty for what the API did not say.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Problem(problem) => &problem.code,
            _ => "",
        }
    }

    /// Whether it is the reader's to mend: what they asked for is refused. Other failures take the whole page.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Problem(problem) if matches!(problem.status, 400 | 409 | 412 | 413 | 415 | 422 | 502))
    }

    /// The failure, for the page to tell, where it [is a refusal](Self::is_refusal).
    ///
    /// # Errors
    /// The failure where it is none: it takes the whole page.
    pub(crate) fn refusal(self) -> Result<Self, Self> {
        if self.is_refusal() { Ok(self) } else { Err(self) }
    }

    /// What to tell the reader.
    #[must_use]
    pub fn message(&self) -> Message {
        let (title, text, next) = match self {
            Self::Problem(problem) => {
                return Message {
                    title: problem.title.clone(),
                    text: sentence(&problem.detail),
                    next: sentence(problem.next.as_deref().unwrap_or_default()),
                    field: problem.field.clone().unwrap_or_default(),
                    request_id: problem.request_id.clone().unwrap_or_default(),
                };
            }
            Self::Unreadable { .. } => (
                "The server did not answer as expected",
                "What you asked for may or may not have been done.".to_owned(),
                "Load the page again to see how things stand. If this stays, tell whoever runs Usher.",
            ),
            Self::Foreign => (
                "This form is not from your session",
                "Nothing was changed. Your session may have ended since the page was loaded, or another site sent the \
                 form."
                    .to_owned(),
                "Go back, load the page again and send the form once more.",
            ),
            Self::Form(problem) => (
                "The form cannot be read",
                sentence(problem),
                "Go back, load the page again and send the form once more.",
            ),
            Self::NotFound => (
                "There is no such page",
                "It may have moved, or it never was.".to_owned(),
                "Go on from the overview.",
            ),
            Self::Forbidden => (
                "Your role has no access to this",
                "What you asked for exists, for others.".to_owned(),
                "Ask an administrator of Usher if you need it.",
            ),
        };
        Message {
            title: title.to_owned(),
            text,
            next: next.to_owned(),
            field: String::new(),
            request_id: String::new(),
        }
    }
}

/// Left for the router's last layer, which knows the viewer and makes a page of it.
impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A message of the API as a sentence: with a capital letter and a full stop.
pub(crate) fn sentence(text: &str) -> String {
    let text = text.trim();
    let mut chars = text.chars();
    let Some(first) = chars.next() else {
        return String::new();
    };
    let mut sentence: String = first.to_uppercase().chain(chars).collect();
    if !sentence.ends_with(['.', '!', '?', ':']) {
        sentence.push('.');
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_becomes_a_sentence() {
        for (text, expected) in [
            ("the group is gone", "The group is gone."),
            ("Really?", "Really?"),
            ("  ", ""),
        ] {
            assert_eq!(sentence(text), expected);
        }
    }

    #[test]
    fn what_is_no_problem_document_is_a_bad_gateway() {
        let answer = Answer {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            headers: http::HeaderMap::new(),
            body: "<html>".into(),
        };
        assert_eq!(Failure::of(&answer).status(), StatusCode::BAD_GATEWAY);
    }
}
