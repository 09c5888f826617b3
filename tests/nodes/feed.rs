//! Readers of the event feed.

use reqwest::Method;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::fleet::Way;

/// A reader that asks for what comes after the last event it got, from any node, as long as the test runs.
pub struct Reader {
    task: JoinHandle<Vec<i64>>,
    last: watch::Sender<Option<i64>>,
}

impl Reader {
    /// Begins at the beginning, with so many events in an answer at most, and waits so many seconds for more.
    pub fn start(mut api: Way, limit: u32, wait: u32) -> Self {
        let last = watch::Sender::new(None);
        let until = last.subscribe();
        let task = tokio::spawn(async move {
            let (mut read, mut after) = (Vec::new(), "0".to_owned());
            loop {
                let path = format!("/events?after={after}&limit={limit}&wait={wait}");
                let reply = api.ask(Method::GET, &path, None).await;
                assert_eq!(reply.status, 200, "{path}: {:#}", reply.body);
                let items = reply.body["items"].as_array().expect("a list of events");
                read.extend(
                    items
                        .iter()
                        .map(|event| number(&event["id"]).expect("the id is a number")),
                );
                after = reply.body["next"].as_str().expect("where to go on").to_owned();
                let is_there = |last: i64| after.parse().is_ok_and(|after: i64| after >= last);
                if until.borrow().is_some_and(is_there) {
                    return read;
                }
            }
        });
        Self { task, last }
    }

    /// Reads on up to this event; all that it got.
    pub async fn up_to(self, last: i64) -> Vec<i64> {
        self.last.send_replace(Some(last));
        self.task.await.expect("the reader reads on")
    }
}

fn number(id: &serde_json::Value) -> Option<i64> {
    id.as_str()?.parse().ok()
}
