//! Answers with more members than are read at once: sent piece by piece, each a read of its own.

mod breaking;
mod changing;
mod holding;
mod showing;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;
use tower::ServiceExt;
use usher_core::{SourceGroupId, SourceUserId};
use usher_engine::{Actor, Cause, EngineError, GroupData, MemberName, UserData};
use usher_storage::query;

use crate::world::World;

/// Members read at once.
const CHUNK: usize = 1000;

/// A group, its members that have accounts, and the values of those that nobody knows, both in the order of an answer.
struct Group {
    path: String,
    id: String,
    known: Vec<String>,
    unknown: Vec<String>,
}

impl Group {
    /// Loads a group without the detour of requests.
    async fn load(world: &World, name: &str, known: usize, unknown: usize) -> Self {
        let unknown: Vec<String> = (0..unknown).map(|n| format!("{name}-{n:05}")).collect();
        let (name, others) = (name.to_owned(), unknown.clone());
        let loaded = world
            .engine
            .write(Cause::new(Actor::Operator("test".into())), move |unit| {
                let (name, others) = (name.clone(), others.clone());
                Box::pin(async move {
                    let source = query::source::by_name(unit.tx(), "idp")
                        .await?
                        .expect("a source")
                        .key;
                    let mut members = Vec::with_capacity(known + others.len());
                    for n in 0..known {
                        let id: SourceUserId = unit.id();
                        unit.create_user(source, id, user(format!("{name}-user-{n}")))
                            .await?;
                        members.push(id.to_string());
                    }
                    let mut known = members.clone();
                    known.sort_unstable();
                    members.extend(others);
                    let members = members.into_iter().map(|value| MemberName { value, kind: None });
                    let id: SourceGroupId = unit.id();
                    let data = GroupData {
                        resource: format!("{{\"displayName\":\"{name}\"}}"),
                        display_name: name,
                        external_id: None,
                    };
                    unit.create_group(source, id, data, members.collect()).await?;
                    Ok::<_, EngineError>((id, known))
                })
            })
            .await;
        let (id, known) = loaded.expect("a group");
        Self {
            path: format!("/Groups/{id}"),
            id: id.to_string(),
            known,
            unknown,
        }
    }

    /// The values of its members, in the order of an answer.
    fn values(&self) -> Vec<String> {
        [self.known.as_slice(), self.unknown.as_slice()].concat()
    }
}

fn user(name: String) -> UserData {
    UserData {
        external_id: None,
        emails: vec![format!("{name}@contoso.com")],
        display_name: Some(name.to_uppercase()),
        active: true,
        user_type: None,
        guest: false,
        resource: format!("{{\"userName\":\"{name}\"}}"),
        user_name: name,
    }
}

/// The values of members in a group's JSON.
fn values(group: &Value) -> Vec<String> {
    let members = group["members"].as_array();
    let values = members.into_iter().flatten().map(|member| &member["value"]);
    values
        .map(|value| value.as_str().expect("a value").to_owned())
        .collect()
}

/// An answer that is taken piece by piece.
struct Taken {
    response: Response,
    bytes: Vec<u8>,
}

impl Taken {
    /// Asks, and takes nothing yet.
    async fn begin(world: &World, path: &str) -> Self {
        let request = world.request("GET", path).body(Body::empty()).expect("a request");
        let response = world.router.clone().oneshot(request).await.expect("never fails");
        assert_eq!(response.status(), 200);
        Self {
            response,
            bytes: Vec::new(),
        }
    }

    /// Takes the next piece; nothing at the end of the answer.
    async fn try_piece(&mut self) -> Option<Result<Bytes, axum::Error>> {
        let frame = self.response.body_mut().frame().await?;
        Some(frame.map(|frame| frame.into_data().expect("no trailers")))
    }

    /// Takes the next piece, and answers how long it is; 0 at the end of the answer.
    async fn piece(&mut self) -> usize {
        let piece = self
            .try_piece()
            .await
            .transpose()
            .expect("a piece")
            .unwrap_or_default();
        self.bytes.extend_from_slice(&piece);
        piece.len()
    }

    /// Takes all that is left.
    async fn end(mut self) -> Value {
        while self.piece().await > 0 {}
        serde_json::from_slice(&self.bytes).expect("JSON")
    }
}

/// A connection to a server that buffers little, and what became of it there.
fn connect(world: &World) -> (DuplexStream, JoinHandle<hyper::Result<()>>) {
    let (client, server) = tokio::io::duplex(16 * 1024);
    let service = TowerToHyperService::new(world.router.clone());
    let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(server), service);
    (client, tokio::spawn(served.into_future()))
}

/// A request that is the last one of its connection.
fn last_request(world: &World, method: &str, path: &str) -> String {
    let token = &world.token;
    format!(
        "{method} /scim/idp/v2{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    )
}
