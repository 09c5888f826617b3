//! The SCIM endpoint of each source: `/scim/{source}/v2`.
//!
//! One handler takes everything under `/scim`, so that whatever goes wrong there is answered as SCIM wants it
//! (RFC 7644 §3.12).

mod answer;
mod body;
mod bulk;
mod call;
mod discovery;
mod failure;
mod groups;
mod list;
mod members;
mod pages;
mod pieces;
mod render;
mod scan;
mod shown;
mod target;
mod users;

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::request::Parts;
use http::{Method, StatusCode, header};
use usher_core::{SourceName, SourceState};
use usher_scim::ScimError;
use usher_scim::schema::{GROUP_TYPE, ResourceType, USER_TYPE};

use crate::access::AccessError;
use crate::lifecycle::Peer;
use crate::requests::Answered;
use crate::{AppState, RequestId};
use answer::Answer;
use call::{Call, Inputs};
use failure::Failure;
use target::{Target, Who};

pub(crate) use failure::error_response;

const USERS: &[&ResourceType] = &[&USER_TYPE];
const GROUPS: &[&ResourceType] = &[&GROUP_TYPE];
const BOTH: &[&ResourceType] = &[&USER_TYPE, &GROUP_TYPE];

/// Whether errors on this path are SCIM errors.
pub(crate) fn is_scim_path(path: &str) -> bool {
    path.strip_prefix("/scim")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers every method on every such path.
pub(crate) async fn serve(state: &AppState, request: Request, id: RequestId) -> Response {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let (response, why) = match handle(state, &parts, body, &id).await {
        Ok(answer) => (answer.into_response(), None),
        Err(failure) => {
            let why = failure.error.to_string();
            (failure.into_response(), Some(why))
        }
    };
    remember(state, &parts, &id, started, response.status(), why);
    response
}

/// Keeps what there is to tell of a request afterwards; nothing of one that names no source.
fn remember(
    state: &AppState,
    parts: &Parts,
    id: &RequestId,
    started: Instant,
    status: StatusCode,
    reason: Option<String>,
) {
    let path = parts.uri.path();
    let name = path
        .strip_prefix("/scim/")
        .and_then(|rest| rest.split('/').next());
    let Some(source) = name.and_then(|name| state.sources.get(name)) else {
        return;
    };
    state.requests.remember(&Answered {
        source: source.key,
        when: &|| (state.engine.now(), started.elapsed()),
        request_id: &id.0,
        agent: parts.headers.get(header::USER_AGENT),
        method: parts.method.as_str(),
        path: path.split_once("/v2").map_or(path, |(_, rest)| rest),
        status: status.as_u16(),
        reason,
    });
}

async fn handle(state: &AppState, parts: &Parts, body: Body, id: &RequestId) -> Result<Answer, Failure> {
    let (source, target) = target::parse(parts.uri.path())?;
    if target.is_discovery() && !parts.headers.contains_key(header::AUTHORIZATION) {
        // The same answer for every name, so that nobody learns which sources there are.
        target.allow(&parts.method)?;
        return discovery::answer(state, source, &target, parts.uri.query());
    }
    let peer = parts.extensions.get::<Peer>().map(|peer| peer.0.ip());
    let caller = state.access.source(source, &parts.headers, peer).await?;
    target.allow(&parts.method)?;
    if target.is_discovery() {
        return discovery::answer(state, source, &target, parts.uri.query());
    }
    let source = configured(state, &caller.name)?;
    let call = Call::new(state, source, Arc::clone(&id.0));
    let inputs = Inputs::read(&call, parts, body).await?;
    dispatch(&call, &parts.method, target, inputs).await
}

fn configured(state: &AppState, name: &SourceName) -> Result<Arc<crate::PushSource>, Failure> {
    let source = state
        .sources
        .get(name)
        .ok_or(AccessError::Silent(SourceState::Frozen))?;
    if !source.mode.pushes() {
        return Err(Failure::from(ScimError::forbidden(
            "this source is read by us and takes no pushes; set its mode to push or both",
        )));
    }
    Ok(Arc::clone(source))
}

/// Boxed is what is large or seldom: room for each of these would be in the future of every request.
async fn dispatch(call: &Call, method: &Method, target: Target, inputs: Inputs) -> Result<Answer, Failure> {
    match (target, method.as_str()) {
        (Target::Users(None), "POST") => Box::pin(users::create(call, inputs)).await,
        (Target::Users(Some(id)), "PUT") => Box::pin(users::replace(call, &id, inputs)).await,
        (Target::Users(Some(id)), "PATCH") => Box::pin(users::patch(call, &id, inputs)).await,
        (Target::Users(Some(id)), "DELETE") => Box::pin(users::delete(call, &id, inputs)).await,
        (Target::Users(Some(id)), _) => users::read(call, &id, inputs).await,
        (Target::Groups(None), "POST") => Box::pin(groups::create(call, inputs)).await,
        (Target::Groups(Some(id)), "PUT") => Box::pin(groups::replace(call, &id, inputs)).await,
        (Target::Groups(Some(id)), "PATCH") => Box::pin(groups::patch(call, &id, inputs)).await,
        (Target::Groups(Some(id)), "DELETE") => Box::pin(groups::delete(call, &id, inputs)).await,
        (Target::Groups(Some(id)), _) => groups::read(call, &id, inputs).await,
        (Target::Users(None), _) => list::by_query(call, USERS, inputs).await,
        (Target::Groups(None), _) => list::by_query(call, GROUPS, inputs).await,
        (Target::Search(Who::Users), _) => Box::pin(list::by_body(call, USERS, inputs)).await,
        (Target::Search(Who::Groups), _) => Box::pin(list::by_body(call, GROUPS, inputs)).await,
        (Target::Search(Who::All), _) => Box::pin(list::by_body(call, BOTH, inputs)).await,
        (Target::Bulk, _) => Box::pin(bulk::run(call, inputs)).await,
        (Target::Me, _) => Err(Failure::from(ScimError::not_implemented(
            "/Me is not offered: the token belongs to an application, not to a user",
        ))),
        (Target::ServiceProviderConfig | Target::ResourceTypes(_) | Target::Schemas(_), _) => {
            unreachable!("discovery is answered before")
        }
    }
}
