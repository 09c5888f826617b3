//! scim2-client, a SCIM client that is not ours, behind `tests/python/bridge.py`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::Answer;

/// A connected client. It checks every answer against the standard, and the test fails where one breaks it.
pub struct Scim2 {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Scim2 {
    /// Starts the client, which reads the discovery endpoints first.
    #[track_caller]
    pub fn connect(python: &Path, address: &str, token: &str) -> Self {
        let mut child = Command::new(python)
            .args([
                "-B",
                concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/python/bridge.py"),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", python.display()));
        let requests = child.stdin.take().expect("standard input is piped");
        let answers = BufReader::new(child.stdout.take().expect("standard output is piped"));
        let mut client = Self {
            child,
            requests,
            answers,
        };
        client
            .perform(&json!({ "op": "connect", "base_url": address, "token": token }))
            .expect(200);
        client
    }

    /// POST.
    #[track_caller]
    pub fn create(&mut self, kind: &str, resource: &Value) -> Answer {
        self.perform(&json!({ "op": "create", "type": kind, "resource": resource }))
    }

    /// GET of one.
    #[track_caller]
    pub fn read(&mut self, kind: &str, id: &str) -> Answer {
        self.perform(&json!({ "op": "read", "type": kind, "id": id }))
    }

    /// GET of those that the filter matches.
    #[track_caller]
    pub fn find(&mut self, kind: &str, filter: &str) -> Answer {
        self.query(kind, &json!({ "filter": filter }))
    }

    /// GET with any query parameters.
    #[track_caller]
    pub fn query(&mut self, kind: &str, parameters: &Value) -> Answer {
        self.perform(&json!({ "op": "query", "type": kind, "parameters": parameters }))
    }

    /// PUT; the resource carries its id.
    #[track_caller]
    pub fn replace(&mut self, kind: &str, resource: &Value) -> Answer {
        self.perform(&json!({ "op": "replace", "type": kind, "resource": resource }))
    }

    /// PATCH with these operations.
    #[track_caller]
    pub fn modify(&mut self, kind: &str, id: &str, operations: &Value) -> Answer {
        self.perform(&json!({ "op": "modify", "type": kind, "id": id, "operations": operations }))
    }

    /// DELETE.
    #[track_caller]
    pub fn delete(&mut self, kind: &str, id: &str) -> Answer {
        self.perform(&json!({ "op": "delete", "type": kind, "id": id }))
    }

    /// Creates a user with a work address equal to the user name; its id.
    #[track_caller]
    pub fn create_user(&mut self, user_name: &str) -> String {
        let user = json!({
            "userName": user_name,
            "externalId": format!("ext-{user_name}"),
            "active": true,
            "emails": [{ "value": user_name, "type": "work", "primary": true }],
        });
        self.create("User", &user).expect(201).id()
    }

    /// Creates a group with these members; its id.
    #[track_caller]
    pub fn create_group(&mut self, display_name: &str, members: &[&str]) -> String {
        let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
        let mut group = json!({ "displayName": display_name });
        if !members.is_empty() {
            group["members"] = members.into();
        }
        self.create("Group", &group).expect(201).id()
    }

    /// Adds users to a group in one PATCH.
    #[track_caller]
    pub fn add_members(&mut self, group: &str, users: &[&str]) {
        let value: Vec<Value> = users.iter().map(|id| json!({ "value": id })).collect();
        self.changed(
            group,
            &json!([{ "op": "add", "path": "members", "value": value }]),
        );
    }

    /// Removes users from a group in one PATCH.
    #[track_caller]
    pub fn remove_members(&mut self, group: &str, users: &[&str]) {
        let operations: Vec<Value> = users
            .iter()
            .map(|id| json!({ "op": "remove", "path": format!("members[value eq \"{id}\"]") }))
            .collect();
        self.changed(group, &operations.into());
    }

    /// Sets whether a user is active.
    #[track_caller]
    pub fn set_active(&mut self, user: &str, active: bool) {
        let operations = json!([{ "op": "replace", "path": "active", "value": active }]);
        self.modify("User", user, &operations).expect(200);
    }

    /// A group answers with itself, or without a body when it is large.
    #[track_caller]
    fn changed(&mut self, group: &str, operations: &Value) {
        let answer = self.modify("Group", group, operations);
        assert!(
            matches!(answer.status, 200 | 204),
            "{}: {} with {:#}",
            answer.asked,
            answer.status,
            answer.body
        );
    }

    #[track_caller]
    fn perform(&mut self, request: &Value) -> Answer {
        let asked = format!("scim2-client {} {}", request["op"], request["type"]);
        let mut line = request.to_string();
        line.push('\n');
        self.requests
            .write_all(line.as_bytes())
            .expect("the client reads requests while it runs");
        let mut answer = String::new();
        self.answers
            .read_line(&mut answer)
            .expect("the client answers each request");
        let Ok(answer) = serde_json::from_str::<Value>(&answer) else {
            panic!("{asked}: the client ended; what it said of that is above")
        };
        if let Some(fault) = answer["fault"].as_str() {
            panic!("{asked}: {fault}\nthe request was {request:#}");
        }
        let status = answer["status"]
            .as_u64()
            .and_then(|status| u16::try_from(status).ok())
            .unwrap_or_default();
        Answer {
            asked,
            status,
            headers: Vec::new(),
            body: answer["body"].clone(),
        }
    }
}

impl Drop for Scim2 {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
