//! What the order form asks: what may be chosen, and what an order would run into.

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use usher_core::GroupNaming;
use usher_engine::EngineError;
use usher_engine::order::{Finding, OrderCheck, Verdict};
use usher_storage::query;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{OrderInput, of_input, own};
use crate::AppState;
use crate::api::problem::Problems;
use crate::api::write::{Write, inputs};
use crate::api::{ApiError, Caller, name, words};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(choices))
        .routes(routes!(check))
}

/// What an order may choose from.
#[derive(Debug, Serialize, ToSchema)]
struct OrderChoices {
    /// Who orders when nobody else is named.
    customer: String,
    /// The organisation's domains: an administrator has an address in one of them.
    domains: Vec<String>,
    /// The sources that are listened to.
    sources: Vec<SourceChoice>,
    /// The levels at which people may start, lowest first.
    levels: Vec<LevelChoice>,
}

/// A source that an order may name.
#[derive(Debug, Serialize, ToSchema)]
struct SourceChoice {
    /// Its name.
    name: String,
    /// The kind of its adapter.
    kind: String,
    /// Push, pull or both.
    mode: String,
    /// Whether an order names a group of it by its immutable id rather than by its name.
    group_by_id: bool,
}

/// A level.
#[derive(Debug, Serialize, ToSchema)]
struct LevelChoice {
    /// Its key.
    key: String,
    /// Its name for people.
    label: String,
}

/// What an order may choose from.
#[utoipa::path(get, path = "/order-choices", tag = "orders",
    responses((status = 200, body = OrderChoices), Problems))]
async fn choices(State(state): State<AppState>) -> Result<Json<OrderChoices>, ApiError> {
    let engine = state.engine.clone();
    let (sources, policy) = state
        .engine
        .read(move |tx| {
            let engine = engine.clone();
            Box::pin(async move {
                let sources = query::source::all(tx).await?;
                Ok::<_, ApiError>((sources, engine.policy(tx).await?))
            })
        })
        .await?;
    let sources = sources
        .into_iter()
        .filter(|source| source.state == usher_core::SourceState::Active)
        .map(|source| SourceChoice {
            group_by_id: source.kind == "entra" || source.mode == "pull",
            name: source.name,
            kind: source.kind,
            mode: source.mode,
        });
    let levels = policy.levels.iter().filter(|level| !level.by_hand);
    Ok(Json(OrderChoices {
        customer: state.config.organisation.name.clone(),
        domains: policy
            .domains
            .iter()
            .filter(|domain| *domain != "*")
            .cloned()
            .collect(),
        sources: sources.collect(),
        levels: levels
            .map(|level| LevelChoice {
                key: level.key.clone(),
                label: level.label.clone(),
            })
            .collect(),
    }))
}

/// Fields of an order, as far as they are filled in.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct OrderCheckInput {
    /// The order itself when it exists, by id or room name: it may keep its own name and group.
    order: Option<String>,
    /// The name that the room shall have.
    room_name: Option<String>,
    /// The company address of the room's administrator.
    administrator: Option<String>,
    /// The group's source; not needed where there is only one.
    source: Option<String>,
    /// The group: its immutable id at the source, or its display name.
    group: Option<String>,
    /// What `group` is; `id` for a UUID and `name` for anything else when left out.
    #[schema(value_type = Option<words::GroupNaming>)]
    named_by: Option<GroupNaming>,
    /// How many people are expected.
    expected: Option<u32>,
    /// Taken as everywhere, and without meaning here.
    reason: Option<String>,
}

inputs!(OrderCheckInput);

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
struct OrderFindings {
    /// Whether an order with these fields would be taken, as far as they are filled in.
    good: bool,
    /// What was found, field by field.
    findings: Vec<FindingView>,
}

/// What was found about a field.
#[derive(Debug, Serialize, ToSchema)]
struct FindingView {
    /// The field.
    field: String,
    /// `good`; `warning`: possible, and to know; `bad`: an order with it is refused; `unknown`: cannot be told yet.
    verdict: &'static str,
    /// What was found.
    text: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Checks the fields of an order without making one: is the name free, is the group known, may the administrator be one.
/// A source that is read is asked about the group.
#[utoipa::path(post, path = "/order-check", tag = "orders", request_body = OrderCheckInput,
    responses((status = 200, body = OrderFindings), Problems))]
async fn check(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    write: Write<OrderCheckInput>,
) -> Result<Json<OrderFindings>, ApiError> {
    let input = (*write.body).clone();
    let says = match &input.group {
        Some(_) => of_input(&state.engine, &state.readers, &input.order_input()).await,
        None => None,
    };
    let asked = input.clone();
    let wanted = state
        .engine
        .read(move |tx| {
            let (input, caller) = (asked.clone(), caller.clone());
            Box::pin(async move {
                let order = match &input.order {
                    Some(order) => Some(own(tx, &caller, order).await?.id),
                    None => None,
                };
                let group = match &input.group {
                    Some(group) => {
                        let source = name::source_or_only(tx, input.source.as_deref()).await?;
                        let named_by = name::naming(&source, group, input.named_by);
                        Some((source.key, group.clone(), named_by))
                    }
                    None => None,
                };
                Ok::<_, EngineError>(OrderCheck {
                    room_name: input.room_name,
                    administrator: input.administrator,
                    group,
                    expected: input.expected,
                    order,
                })
            })
        })
        .await?;
    let found = state.engine.check_order(wanted).await?;
    let good = found.iter().all(|finding| finding.verdict != Verdict::Bad);
    let mut findings: Vec<_> = found.into_iter().map(FindingView::from).collect();
    if let Some(says) = says {
        if let Some(group) = &says.group {
            findings.push(FindingView::seen(&group.display_name, group.members));
        }
        findings.extend(says.warnings.into_iter().map(FindingView::warning));
    }
    Ok(Json(OrderFindings { good, findings }))
}

impl OrderCheckInput {
    fn order_input(&self) -> OrderInput {
        OrderInput {
            source: self.source.clone(),
            group: self.group.clone(),
            named_by: self.named_by,
            ..OrderInput::default()
        }
    }
}

impl FindingView {
    fn seen(name: &str, members: Option<u64>) -> Self {
        let members = members.map_or_else(String::new, |members| format!(" and has {members} members there"));
        Self {
            field: "group".into(),
            verdict: "good",
            text: format!("the source knows the group as '{name}'{members}"),
            next: None,
        }
    }

    fn warning(text: String) -> Self {
        Self {
            field: "group".into(),
            verdict: "warning",
            text,
            next: None,
        }
    }
}

impl From<Finding> for FindingView {
    fn from(finding: Finding) -> Self {
        Self {
            field: finding.field.to_owned(),
            verdict: match finding.verdict {
                Verdict::Good => "good",
                Verdict::Warning => "warning",
                Verdict::Bad => "bad",
                Verdict::Unknown => "unknown",
            },
            text: finding.text,
            next: finding.next,
        }
    }
}
