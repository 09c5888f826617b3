//! `/Bulk`: each operation is a unit of work of its own, as RFC 7644 §3.7 has it.

use bytes::Bytes;
use serde_json::Value;
use usher_scim::bulk::{BulkCall, BulkLimits, BulkMethod, BulkOutcome, BulkRequest};
use usher_scim::etag::TagList;
use usher_scim::resource::location;
use usher_scim::schema::{GROUP_TYPE, USER_TYPE};

use super::{Answer, Call, Failure, Inputs, groups, users};

/// POST: 200 with what became of each operation.
pub(super) async fn run(call: &Call, inputs: Inputs) -> Result<Answer, Failure> {
    let limits = BulkLimits {
        operations: call.limits().max_operations,
    };
    let request = BulkRequest::parse(call.json(&inputs.body)?, &[&USER_TYPE, &GROUP_TYPE], &limits)?;
    let mut run = request.start();
    while let Some(operation) = run.next_call() {
        let outcome = perform(call, operation).await;
        run.record(outcome);
    }
    Ok(Answer::ok(run.finish().to_string().into_bytes()))
}

async fn perform(call: &Call, operation: BulkCall) -> BulkOutcome {
    let BulkCall {
        method,
        resource_type,
        id,
        version,
        data,
    } = operation;
    let place = id
        .as_deref()
        .map(|id| location(resource_type, id, &call.source.base));
    let inputs = Inputs {
        body: data
            .as_ref()
            .map(Value::to_string)
            .map(Bytes::from)
            .unwrap_or_default(),
        if_match: version
            .as_deref()
            .map(TagList::parse)
            .filter(|_| call.source.profile.honours_if_match),
        ..Inputs::default()
    };
    let id = id.unwrap_or_default();
    let is_user = resource_type.name == USER_TYPE.name;
    let result = match (method, is_user) {
        (BulkMethod::Post, true) => users::create(call, inputs).await,
        (BulkMethod::Put, true) => users::replace(call, &id, inputs).await,
        (BulkMethod::Patch, true) => users::patch(call, &id, inputs).await,
        (BulkMethod::Delete, true) => users::delete(call, &id, inputs).await,
        (BulkMethod::Post, false) => groups::create(call, inputs).await,
        (BulkMethod::Put, false) => groups::replace(call, &id, inputs).await,
        (BulkMethod::Patch, false) => groups::patch(call, &id, inputs).await,
        (BulkMethod::Delete, false) => groups::delete(call, &id, inputs).await,
    };
    match result {
        Err(failure) => BulkOutcome::failure(failure.into_error(), place),
        Ok(answer) => {
            let outcome = BulkOutcome::success(answer.status.as_u16());
            match (answer.about, place) {
                (Some(about), _) => outcome
                    .with_id(about.id)
                    .with_location(about.location)
                    .with_version(about.etag),
                (None, Some(place)) => outcome.with_location(place),
                (None, None) => outcome,
            }
        }
    }
}
