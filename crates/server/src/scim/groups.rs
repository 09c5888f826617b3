//! `/Groups`.

use std::sync::Arc;

use http::StatusCode;
use usher_core::SourceGroupId;
use usher_engine::{EngineError, GroupData, MembersChange, Unit};
use usher_scim::resource::canonicalise;
use usher_scim::schema::GROUP_TYPE;
use usher_scim::{Attributes, MemberRef, PatchRequest, Projection, ScimError, user};
use usher_storage::query::group::GroupRow;
use usher_storage::{SourceKey, StorageError, Tx, query};

use super::call::{check_version, tag_number};
use super::members::{self, CHUNK, Elements, Place};
use super::pieces::{self, Rest};
use super::{Answer, Call, Failure, Inputs, render};

/// With more members than this, before or after it, a PATCH is answered 204 unless the client asks for a body:
/// RFC 7644 §3.5.2 allows it, and nothing of a group's size is read to change one member.
const LARGE: i64 = 100;

/// POST: 201, or 409 when the `externalId` is taken.
pub(super) async fn create(call: &Call, inputs: Inputs) -> Result<Answer, Failure> {
    let projection = inputs.projection()?;
    let canonical = canonicalise(call.json(&inputs.body)?, &GROUP_TYPE, call.limits().max_members)?;
    let data = Arc::new(group_data(&canonical.attributes));
    let named: Arc<[MemberRef]> = canonical.members.unwrap_or_default().into();
    let source = call.source.key;
    let (shown, base) = (projection.clone(), Arc::clone(&call.source.base));
    let (row, elements) = call
        .write(move |unit| {
            let (data, named) = (Arc::clone(&data), Arc::clone(&named));
            let (shown, base) = (shown.clone(), Arc::clone(&base));
            Box::pin(async move {
                refuse_namesake(unit, source, &data, None).await?;
                let id: SourceGroupId = unit.id();
                let row = unit
                    .create_group(source, id, (*data).clone(), members::names(&named))
                    .await?;
                let elements = first_if_any(unit.tx(), &row, &base, &shown).await?;
                Ok((row, elements))
            })
        })
        .await?;
    shown_as(call, StatusCode::CREATED, &row, elements, &projection)
}

/// GET: 200, or 304 when the client's version is current. Members that are left out are not read.
pub(super) async fn read(call: &Call, id: &str, inputs: Inputs) -> Result<Answer, Failure> {
    let projection = inputs.projection()?;
    let (id, source) = (parse_id(id)?, call.source.key);
    let (if_none_match, base) = (inputs.if_none_match, Arc::clone(&call.source.base));
    let shown = projection.clone();
    let (row, elements) = call
        .read(move |tx| {
            let (if_none_match, base, shown) = (if_none_match.clone(), Arc::clone(&base), shown.clone());
            Box::pin(async move {
                let row = find(tx, source, id).await?;
                if if_none_match.is_some_and(|tags| tags.contains(tag_number(row.version))) {
                    return Ok((row, None));
                }
                let elements = first(tx, id, &base, &shown).await?;
                Ok((row, Some(elements)))
            })
        })
        .await?;
    match elements {
        None => {
            let about = render::about_group(&row, &call.source.base);
            Ok(Answer::empty(StatusCode::NOT_MODIFIED, Some(about)))
        }
        Some(elements) => shown_as(call, StatusCode::OK, &row, elements, &projection),
    }
}

/// PUT: the whole group anew. Members are replaced where the body names them, be it by `[]`; a body without the key
/// leaves them alone, because a rename must not empty a group.
pub(super) async fn replace(call: &Call, id: &str, inputs: Inputs) -> Result<Answer, Failure> {
    let projection = inputs.projection()?;
    let canonical = canonicalise(call.json(&inputs.body)?, &GROUP_TYPE, call.limits().max_members)?;
    let data = Arc::new(group_data(&canonical.attributes));
    let named: Option<Arc<[MemberRef]>> = canonical.members.map(Into::into);
    let (id, source, if_match) = (parse_id(id)?, call.source.key, inputs.if_match);
    let (shown, base) = (projection.clone(), Arc::clone(&call.source.base));
    let (row, elements) = call
        .write(move |unit| {
            let (data, named, if_match) = (Arc::clone(&data), named.clone(), if_match.clone());
            let (shown, base) = (shown.clone(), Arc::clone(&base));
            Box::pin(async move {
                let before = find_for_change(unit.tx(), source, id).await?;
                check_version(if_match.as_ref(), before.version)?;
                let mut row = update(unit, &before, (*data).clone()).await?;
                if let Some(named) = named {
                    let change = MembersChange::Replace(members::names(&named));
                    row = unit.change_members(&row, vec![change]).await?;
                }
                let elements = first_if_any(unit.tx(), &row, &base, &shown).await?;
                Ok((row, elements))
            })
        })
        .await?;
    shown_as(call, StatusCode::OK, &row, elements, &projection)
}

/// PATCH: 200 with the group, or 204 for a large one.
pub(super) async fn patch(call: &Call, id: &str, inputs: Inputs) -> Result<Answer, Failure> {
    let projection = inputs.projection()?;
    let request = Arc::new(PatchRequest::parse(
        call.json(&inputs.body)?,
        &GROUP_TYPE,
        &call.patch_limits(),
    )?);
    let (id, source, if_match) = (parse_id(id)?, call.source.key, inputs.if_match);
    let (shown, base) = (projection.clone(), Arc::clone(&call.source.base));
    let (row, elements) = call
        .write(move |unit| {
            let (request, if_match) = (Arc::clone(&request), if_match.clone());
            let (shown, base) = (shown.clone(), Arc::clone(&base));
            Box::pin(async move {
                // What changes besides could bind the group to other rooms.
                if request.is_members_only() {
                    members::foresee(unit, id, source, request.member_deltas()).await?;
                }
                let before = find_for_change(unit.tx(), source, id).await?;
                check_version(if_match.as_ref(), before.version)?;
                let count = before.member_count;
                let mut row = before;
                if !request.is_members_only() {
                    let mut attributes = render::stored(&row.resource)?;
                    if request.apply(&mut attributes)?.changed {
                        row = update(unit, &row, group_data(&attributes)).await?;
                    }
                }
                let row = members::apply(unit, row, request.member_deltas()).await?;
                if row.member_count.max(count) > LARGE && !shown.is_given() {
                    return Ok((row, None));
                }
                let elements = first(unit.tx(), id, &base, &shown).await?;
                Ok((row, Some(elements)))
            })
        })
        .await?;
    match elements {
        None => {
            let about = render::about_group(&row, &call.source.base);
            Ok(Answer::empty(StatusCode::NO_CONTENT, Some(about)))
        }
        Some(elements) => shown_as(call, StatusCode::OK, &row, elements, &projection),
    }
}

/// DELETE: 204.
pub(super) async fn delete(call: &Call, id: &str, inputs: Inputs) -> Result<Answer, Failure> {
    let (id, source, if_match) = (parse_id(id)?, call.source.key, inputs.if_match);
    call.write(move |unit| {
        let if_match = if_match.clone();
        Box::pin(async move {
            let row = find_for_change(unit.tx(), source, id).await?;
            check_version(if_match.as_ref(), row.version)?;
            unit.delete_group(&row).await?;
            Ok(())
        })
    })
    .await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT, None))
}

async fn update(unit: &mut Unit<'_, '_>, before: &GroupRow, data: GroupData) -> Result<GroupRow, Failure> {
    let renamed = !before.display_name.eq_ignore_ascii_case(&data.display_name);
    if renamed || before.external_id != data.external_id {
        refuse_namesake(unit, before.source, &data, Some(before.id)).await?;
    }
    Ok(unit.update_group(before, data).await?)
}

/// Two groups of one name are refused where both carry an immutable id and the ids differ: Entra ID finds its groups by
/// name, and would take one for the other. A provider that sends no id may push as many namesakes as it likes.
async fn refuse_namesake(
    unit: &mut Unit<'_, '_>,
    source: SourceKey,
    data: &GroupData,
    except: Option<SourceGroupId>,
) -> Result<(), Failure> {
    if data.external_id.is_none() {
        return Ok(());
    }
    let namesakes = query::group::by_name(unit.tx(), source, &data.display_name).await?;
    let differs = |other: &GroupRow| {
        Some(other.id) != except && other.external_id.is_some() && other.external_id != data.external_id
    };
    if namesakes.iter().any(differs) {
        return Err(EngineError::Conflict(
            "another group of this source has this displayName and another externalId: rename one of them at the \
             identity provider, or remove the older group from the application"
                .into(),
        )
        .into());
    }
    Ok(())
}

/// The members that an answer begins with.
async fn first(
    tx: &mut Tx<'_>,
    id: SourceGroupId,
    base: &str,
    projection: &Projection,
) -> Result<Elements, StorageError> {
    members::elements(tx, id, Place::default(), CHUNK, base, projection).await
}

/// The same, without a look where nobody is.
async fn first_if_any(
    tx: &mut Tx<'_>,
    row: &GroupRow,
    base: &str,
    projection: &Projection,
) -> Result<Elements, StorageError> {
    match row.member_count {
        0 => Ok(Elements::default()),
        _ => first(tx, row.id, base, projection).await,
    }
}

/// The answer with a group; members that come after the first ones are read when the client has taken these.
fn shown_as(
    call: &Call,
    status: StatusCode,
    row: &GroupRow,
    elements: Elements,
    projection: &Projection,
) -> Result<Answer, Failure> {
    let base = &call.source.base;
    let mut bytes = render::group_bytes(row, base, projection)?;
    let rest = pieces::insert(&mut bytes, row.id, elements).map(Rest::of_group);
    let body = pieces::body(call, projection, bytes, rest);
    Ok(Answer::resource(status, render::about_group(row, base), body))
}

async fn find(tx: &mut Tx<'_>, source: SourceKey, id: SourceGroupId) -> Result<GroupRow, Failure> {
    query::group::by_id(tx, source, id)
        .await?
        .filter(|row| row.pushed)
        .ok_or_else(|| not_found().into())
}

async fn find_for_change(tx: &mut Tx<'_>, source: SourceKey, id: SourceGroupId) -> Result<GroupRow, Failure> {
    query::group::by_id_for_change(tx, source, id)
        .await?
        .filter(|row| row.pushed)
        .ok_or_else(|| not_found().into())
}

fn parse_id(id: &str) -> Result<SourceGroupId, ScimError> {
    id.parse().map_err(|_| not_found())
}

fn not_found() -> ScimError {
    ScimError::not_found(
        "there is no group with this id in this source; look it up by displayName, or create it",
    )
}

fn group_data(attributes: &Attributes) -> GroupData {
    GroupData {
        display_name: attributes
            .get("displayName")
            .and_then(|name| name.as_str())
            .unwrap_or_default()
            .to_owned(),
        external_id: user::external_id(attributes).map(str::to_owned),
        resource: serde_json::to_string(attributes).expect("JSON can be written"),
    }
}
