//! What is known when an e-mail is written, read in one state of the database.

use serde_json::Value;
use usher_core::{HoldId, OrderId, TokenId};
use usher_engine::{EngineError, Policy};
use usher_mail::{
    Facts, HoldFacts, Notice, OrderFacts, Provider, RestoreFacts, RoomFacts, SourceFacts, TokenFacts,
    WebhookFacts,
};
use usher_storage::query::event::EventRow;
use usher_storage::query::order::OrderRow;
use usher_storage::{Tx, query};

use super::Mail;

/// The people of a hold who are named.
const NAMED: usize = 20;

/// What is to be told.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) notice: Notice,
    pub(super) facts: Facts,
    /// The address of the order's requester.
    pub(super) requester: Option<String>,
}

/// What is known of an event; nothing when what it is about is not there any more.
pub(super) async fn facts(
    tx: &mut Tx<'_>,
    mail: &Mail,
    policy: &Policy,
    notice: Notice,
    event: &EventRow,
    data: &Value,
) -> Result<Option<Told>, EngineError> {
    let mut facts = Facts {
        organisation: mail.0.organisation.clone(),
        at: event.at,
        ..Facts::default()
    };
    let Some(page) = about(tx, policy, notice, event, data, &mut facts).await? else {
        return Ok(None);
    };
    facts.link = Some(format!("{}{page}", mail.0.public_url));
    Ok(Some(Told {
        notice,
        requester: facts.order.as_ref().map(|order| order.requester.clone()),
        facts,
    }))
}

/// Fills in what a notice is about; the path of the page where something can be done.
async fn about(
    tx: &mut Tx<'_>,
    policy: &Policy,
    notice: Notice,
    event: &EventRow,
    data: &Value,
    facts: &mut Facts,
) -> Result<Option<String>, EngineError> {
    let word = |key: &str| data[key].as_str().map(str::to_owned);
    if let Some(room) = event.room {
        let room = query::room::by_id(tx, room).await?;
        facts.room = room.map(|room| RoomFacts {
            name: room.name,
            url: room.url,
        });
    }
    facts.source = event.source.clone().map(|name| SourceFacts {
        name,
        reason: word("reason"),
        since: word("since").and_then(|since| since.parse().ok()),
    });
    Ok(match notice {
        Notice::OrderSubmitted
        | Notice::OrderWithdrawn
        | Notice::OrderAccepted
        | Notice::OrderRejected
        | Notice::RoomReady
        | Notice::MappingConfirmed
        | Notice::FirstArrivals
        | Notice::AdministratorRaised
        | Notice::AdministratorAmbiguous
        | Notice::RoomLive
        | Notice::BootstrapOverdue => {
            let Some(id) = word("order").and_then(|id| id.parse::<OrderId>().ok()) else {
                return Ok(None);
            };
            let Some(order) = query::order::by_id(tx, id).await? else {
                return Ok(None);
            };
            facts.sso_url.clone_from(&policy.sso_url);
            facts.order = Some(order_facts(tx, order).await?);
            Some(format!("/orders/{id}"))
        }
        Notice::ExpectedExceeded | Notice::HoldOpened | Notice::HoldDueSoon => {
            let Some(id) = word("hold").and_then(|id| id.parse::<HoldId>().ok()) else {
                return Ok(None);
            };
            if let Some(room) = event.room
                && let Some(order) = query::order::of_room(tx, room).await?
            {
                facts.order = Some(order_facts(tx, order).await?);
            }
            facts.hold = hold_facts(tx, id).await?;
            let is_known = facts.hold.is_some() && facts.room.is_some();
            is_known.then(|| format!("/holds/{id}"))
        }
        Notice::RestoreSuggested => {
            let (Some(id), Some(person)) = (word("restore"), event.person) else {
                return Ok(None);
            };
            let people = query::person::by_ids(tx, [person]).await?;
            facts.restore = people.into_iter().next().map(|person| RestoreFacts {
                person: shown(person.display_name.as_ref(), person.email.as_ref()),
                email: person.email,
                candidates: data["candidates"].as_i64().unwrap_or(1),
            });
            let is_known = facts.restore.is_some() && facts.room.is_some();
            is_known.then(|| format!("/restores/{id}"))
        }
        Notice::SourceDegraded | Notice::SourceRecovered => facts
            .source
            .as_ref()
            .map(|source| format!("/sources/{}", source.name)),
        Notice::RoomWithoutAdministrator => event
            .room
            .filter(|_| facts.room.is_some())
            .map(|room| format!("/rooms/{room}")),
        Notice::TokenExpiring => {
            let Some(id) = word("token").and_then(|id| id.parse::<TokenId>().ok()) else {
                return Ok(None);
            };
            let token = query::token::by_id(tx, id).await?;
            let Some((token, expires)) = token.and_then(|token| Some((token.clone(), token.expires?))) else {
                return Ok(None);
            };
            let page = match &token.source_name {
                Some(source) => format!("/sources/{source}"),
                None => "/settings".to_owned(),
            };
            facts.token = Some(TokenFacts {
                label: token.label,
                source: token.source_name,
                role: token.role.map(|role| role.as_str().to_owned()),
                expires,
                last_used: token.last_used,
            });
            Some(page)
        }
        Notice::WebhookDisabled => {
            facts.webhook = Some(WebhookFacts {
                url: word("url").unwrap_or_default(),
                error: word("error"),
            });
            Some("/settings".to_owned())
        }
        Notice::Test => None,
    })
}

async fn order_facts(tx: &mut Tx<'_>, order: OrderRow) -> Result<OrderFacts, EngineError> {
    let source = query::source::by_key(tx, order.source).await?;
    let mapping = match order.mapping {
        Some(mapping) => query::mapping::by_id(tx, mapping).await?,
        None => None,
    };
    let group = match mapping.and_then(|mapping| mapping.group) {
        Some(group) => query::group::by_id(tx, order.source, group).await?,
        None => None,
    };
    let (arrived, waiting) = match order.room {
        Some(room) => (
            query::plan::arrivals(tx, room).await?.0,
            query::plan::waiting_beyond_expected(tx, room).await?,
        ),
        None => (0, 0),
    };
    let (kind, mode, name) = source.map_or_else(Default::default, |row| (row.kind, row.mode, row.name));
    Ok(OrderFacts {
        id: order.id.to_string(),
        customer: order.customer,
        room_name: order.room_name,
        administrator: order.administrator,
        requester: order.requester,
        group_name: group
            .map(|group| group.display_name)
            .filter(|name| *name != order.group_ref),
        group: order.group_ref,
        expected: order.expected,
        arrived,
        waiting,
        reason: order.closing_reason,
        bootstrap_due: order.bootstrap_due,
        provider: match kind.as_str() {
            "entra" => Provider::Entra,
            "okta" => Provider::Okta,
            _ => Provider::Generic,
        },
        source: name,
        pushed: mode != "pull",
        pulled: mode != "push",
    })
}

async fn hold_facts(tx: &mut Tx<'_>, id: HoldId) -> Result<Option<HoldFacts>, EngineError> {
    let Some(hold) = query::hold::by_id(tx, id).await? else {
        return Ok(None);
    };
    let items = query::hold::items(tx, id).await?;
    let people = items.len();
    let first = items.into_iter().take(NAMED).map(|item| item.person);
    let mut names: Vec<String> = query::person::by_ids(tx, first)
        .await?
        .into_iter()
        .map(|person| shown(person.display_name.as_ref(), person.email.as_ref()))
        .collect();
    names.sort();
    Ok(Some(HoldFacts {
        cause: hold.cause,
        due: hold.due,
        more: people - names.len(),
        people,
        names,
    }))
}

fn shown(name: Option<&String>, email: Option<&String>) -> String {
    let known = name.or(email).filter(|text| !text.trim().is_empty());
    known.cloned().unwrap_or_else(|| "?".to_owned())
}
