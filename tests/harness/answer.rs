//! What a server answered, with assertions that show it when they fail.

use serde_json::Value;

/// One answer over HTTP, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Method and address it answers.
    pub asked: String,
    /// HTTP status.
    pub status: u16,
    /// Headers; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as JSON; text that is none as a string; `null` when empty.
    pub body: Value,
}

impl Answer {
    /// Fails the test, showing the body, unless the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert!(
            self.status == status,
            "{}: expected {status}, was answered {} with\n{:#}",
            self.asked,
            self.status,
            self.body
        );
        self
    }

    /// Fails the test unless this is an error of that status whose detail says something.
    #[track_caller]
    pub fn refused(self, status: u16) -> Self {
        let answer = self.expect(status);
        assert!(
            answer.detail().len() > 10,
            "{}: the refusal explains nothing: {:#}",
            answer.asked,
            answer.body
        );
        answer
    }

    /// The explanation in an error, of SCIM and of problem details alike.
    pub fn detail(&self) -> &str {
        self.body["detail"].as_str().unwrap_or_default()
    }

    /// The `id` in the body.
    #[track_caller]
    pub fn id(&self) -> String {
        self.text("/id")
    }

    /// The string at this JSON pointer.
    #[track_caller]
    pub fn text(&self, pointer: &str) -> String {
        match self.body.pointer(pointer).and_then(Value::as_str) {
            Some(text) => text.to_owned(),
            None => panic!("{}: no text at {pointer} in\n{:#}", self.asked, self.body),
        }
    }

    /// The list at this JSON pointer.
    #[track_caller]
    pub fn list(&self, pointer: &str) -> Vec<Value> {
        match self.body.pointer(pointer).and_then(Value::as_array) {
            Some(list) => list.clone(),
            None => panic!("{}: no list at {pointer} in\n{:#}", self.asked, self.body),
        }
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}
