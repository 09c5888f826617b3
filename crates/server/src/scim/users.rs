//! `/Users`.

use std::sync::Arc;

use http::StatusCode;
use usher_core::{SourceGroupId, SourceUserId};
use usher_engine::UserData;
use usher_scim::resource::canonicalise;
use usher_scim::schema::USER_TYPE;
use usher_scim::{Attributes, PatchRequest, Projection, ScimError, compare, user};
use usher_storage::query::user::UserRow;
use usher_storage::{Later, SourceKey, StorageError, Tx, query};

use super::call::{check_version, tag_number};
use super::{Answer, Call, Failure, Inputs, render, shown};

type Groups = Option<Vec<(SourceGroupId, String)>>;

/// POST: 201, or 409 when the `userName` is taken.
pub(super) async fn create(call: &Call, inputs: Inputs) -> Result<Answer, Failure> {
    let projection = inputs.projection()?;
    let attributes =
        canonicalise(call.json(&inputs.body)?, &USER_TYPE, call.limits().max_members)?.attributes;
    let (data, source) = (Arc::new(User::new(&attributes)), call.source.key);
    let wants_groups = projection.wants_groups();
    let (row, groups) = call
        .write(move |unit| {
            let data = Arc::clone(&data);
            Box::pin(async move {
                let id: SourceUserId = unit.id();
                unit.foresee_source(source).await?;
                let row = unit.create_user(source, id, data.data.clone()).await?;
                if !data.further_emails.is_empty() {
                    query::directory::set_further_emails(unit.tx(), id, data.further_emails.clone()).await?;
                }
                let groups = match unit.has_changed_members() {
                    true => {
                        let asked = groups_of(unit.tx(), id, wants_groups).await?;
                        groups(unit.tx(), asked).await?
                    }
                    false => wants_groups.then(Vec::new),
                };
                Ok((row, groups))
            })
        })
        .await?;
    answer(
        call,
        StatusCode::CREATED,
        &row,
        attributes,
        groups.as_deref(),
        &projection,
    )
}

/// GET: 200, or 304 when the client's version is current.
pub(super) async fn read(call: &Call, id: &str, inputs: Inputs) -> Result<Answer, Failure> {
    let projection = inputs.projection()?;
    let (id, source) = (parse_id(id)?, call.source.key);
    let wants_groups = projection.wants_groups();
    let storage = call.state.engine.storage();
    let user = storage
        .look_up(query::shown::user_by_id(source, id, wants_groups))
        .await?
        .ok_or_else(not_found)?;
    let base = &call.source.base;
    let about = shown::about(&user, base);
    if inputs
        .if_none_match
        .is_some_and(|tags| tags.contains(tag_number(user.version)))
    {
        return Ok(Answer::empty(StatusCode::NOT_MODIFIED, Some(about)));
    }
    let body = shown::bytes(&user, &about, base, &projection)?;
    Ok(Answer::resource(StatusCode::OK, about, body))
}

/// PUT: the whole user anew; what is left out is cleared.
pub(super) async fn replace(call: &Call, id: &str, inputs: Inputs) -> Result<Answer, Failure> {
    let projection = inputs.projection()?;
    let attributes =
        canonicalise(call.json(&inputs.body)?, &USER_TYPE, call.limits().max_members)?.attributes;
    let edit = Arc::new(Edit::Whole(User::new(&attributes), attributes));
    change(call, id, inputs, &projection, edit).await
}

/// PATCH: answers 200 with the user, changed or not.
pub(super) async fn patch(call: &Call, id: &str, inputs: Inputs) -> Result<Answer, Failure> {
    let projection = inputs.projection()?;
    let request = PatchRequest::parse(call.json(&inputs.body)?, &USER_TYPE, &call.patch_limits())?;
    change(call, id, inputs, &projection, Arc::new(Edit::Parts(request))).await
}

/// DELETE: 204.
pub(super) async fn delete(call: &Call, id: &str, inputs: Inputs) -> Result<Answer, Failure> {
    let (id, source) = (parse_id(id)?, call.source.key);
    let if_match = inputs.if_match;
    call.write(move |unit| {
        let if_match = if_match.clone();
        Box::pin(async move {
            let row = find_for_change(unit.tx(), source, id).await?;
            check_version(if_match.as_ref(), row.version)?;
            unit.delete_user(&row).await?;
            Ok(())
        })
    })
    .await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT, None))
}

/// What a request makes of a user.
enum Edit {
    Whole(User, Attributes),
    Parts(PatchRequest),
}

async fn change(
    call: &Call,
    id: &str,
    inputs: Inputs,
    projection: &Projection,
    edit: Arc<Edit>,
) -> Result<Answer, Failure> {
    let (id, source) = (parse_id(id)?, call.source.key);
    let (if_match, wants_groups) = (inputs.if_match, projection.wants_groups());
    let (row, attributes, groups) = call
        .write(move |unit| {
            let (edit, if_match) = (Arc::clone(&edit), if_match.clone());
            Box::pin(async move {
                let asked = groups_of(unit.tx(), id, wants_groups).await?;
                unit.foresee_source(source).await?;
                let before = find_for_change(unit.tx(), source, id).await?;
                check_version(if_match.as_ref(), before.version)?;
                let mut attributes = render::stored(&before.resource)?;
                let known_emails = further_emails(&attributes);
                let after = match &*edit {
                    Edit::Whole(user, whole) => {
                        attributes.clone_from(whole);
                        Some(user.clone())
                    }
                    Edit::Parts(request) => {
                        let changed = request.apply(&mut attributes)?.changed;
                        changed.then(|| User::new(&attributes))
                    }
                };
                let row = match after {
                    None => before,
                    Some(user) => {
                        let row = unit.update_user(&before, user.data).await?;
                        if known_emails != user.further_emails {
                            query::directory::set_further_emails(unit.tx(), id, user.further_emails).await?;
                        }
                        row
                    }
                };
                let groups = groups(unit.tx(), asked).await?;
                Ok((row, attributes, groups))
            })
        })
        .await?;
    answer(
        call,
        StatusCode::OK,
        &row,
        attributes,
        groups.as_deref(),
        projection,
    )
}

fn answer(
    call: &Call,
    status: StatusCode,
    row: &UserRow,
    attributes: Attributes,
    groups: Option<&[(SourceGroupId, String)]>,
    projection: &Projection,
) -> Result<Answer, Failure> {
    let base = &call.source.base;
    let body = render::user_bytes(row, attributes, groups, base, projection);
    Ok(Answer::resource(status, render::about_user(row, base), body))
}

async fn find_for_change(tx: &mut Tx<'_>, source: SourceKey, id: SourceUserId) -> Result<UserRow, Failure> {
    query::user::by_id_for_change(tx, source, id)
        .await?
        .filter(|row| row.pushed)
        .ok_or_else(|| not_found().into())
}

type Asked = Option<Later<(SourceGroupId, String)>>;

async fn groups_of(tx: &mut Tx<'_>, id: SourceUserId, wanted: bool) -> Result<Asked, StorageError> {
    if !wanted {
        return Ok(None);
    }
    query::user::groups_of(tx, id).await.map(Some)
}

async fn groups(tx: &mut Tx<'_>, asked: Asked) -> Result<Groups, StorageError> {
    match asked {
        Some(asked) => tx.rows(asked).await.map(Some),
        None => Ok(None),
    }
}

fn parse_id(id: &str) -> Result<SourceUserId, ScimError> {
    id.parse().map_err(|_| not_found())
}

fn not_found() -> ScimError {
    ScimError::not_found("there is no user with this id in this source; look it up by userName, or create it")
}

/// A user as the engine takes it.
#[derive(Clone)]
pub(super) struct User {
    data: UserData,
    further_emails: Vec<String>,
}

impl User {
    fn new(attributes: &Attributes) -> Self {
        let first = user::email(attributes);
        let mut emails: Vec<String> = first.map(str::to_owned).into_iter().collect();
        emails.extend(
            user::emails(attributes)
                .filter(|email| Some(*email) != first)
                .map(str::to_owned),
        );
        let data = UserData {
            user_name: user::user_name(attributes).unwrap_or_default().to_owned(),
            external_id: user::external_id(attributes).map(str::to_owned),
            emails,
            display_name: user::display_name(attributes),
            active: user::is_active(attributes),
            user_type: user::user_type(attributes).map(str::to_owned),
            guest: false,
            resource: serde_json::to_string(attributes).expect("JSON can be written"),
        };
        Self {
            further_emails: further_emails(attributes),
            data,
        }
    }
}

/// All addresses but the first one, which the user's own row holds; folded.
fn further_emails(attributes: &Attributes) -> Vec<String> {
    let first = user::email(attributes);
    let mut further: Vec<String> = user::emails(attributes)
        .filter(|email| Some(*email) != first)
        .map(|email| compare::fold(email).into_owned())
        .collect();
    further.sort_unstable();
    further.dedup();
    further
}
