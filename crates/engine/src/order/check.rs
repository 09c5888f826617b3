//! What an order would run into, told while it is filled in: each field by itself, so that one that is wrong hides no
//! other.

use serde::Serialize;
use usher_core::{GroupNaming, OrderId, PersonId, SourceGroupId};
use usher_storage::{SourceKey, Tx, query};

use super::fields;
use crate::EngineError;
use crate::engine::Engine;
use crate::mapping::{
    GroupNews, GroupRef, active_source, check_ref, group_news, refuse_taken_group, resolve,
};
use crate::policy::Policy;
use crate::room::check_name;

/// Fields of an order, as far as they are filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderCheck {
    /// The name that the room shall have.
    pub room_name: Option<String>,
    /// The company address of the room's administrator.
    pub administrator: Option<String>,
    /// The group with its source.
    pub group: Option<(SourceKey, String, GroupNaming)>,
    /// How many people are expected.
    pub expected: Option<u32>,
    /// The order itself when it exists, which may keep its own name and group.
    pub order: Option<OrderId>,
}

/// What was found about a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The field.
    pub field: &'static str,
    /// How it is to be taken.
    pub verdict: Verdict,
    /// What was found.
    pub text: String,
    /// What to do about it.
    pub next: Option<String>,
}

/// How a finding is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is as it should be.
    Good,
    /// It is possible, and something to know before going on.
    Warning,
    /// An order with it is refused.
    Bad,
    /// It cannot be told yet.
    Unknown,
}

impl Engine {
    /// Checks the fields of an order without making one.
    ///
    /// # Errors
    /// What the database says; what is wrong with a field is a finding and no error.
    pub async fn check_order(&self, wanted: OrderCheck) -> Result<Vec<Finding>, EngineError> {
        self.read_by_policy(move |tx, policy| {
            let wanted = wanted.clone();
            Box::pin(async move { check(tx, &policy, &wanted).await })
        })
        .await
    }
}

async fn check(tx: &mut Tx<'_>, policy: &Policy, wanted: &OrderCheck) -> Result<Vec<Finding>, EngineError> {
    let mut findings = Vec::new();
    if let Some(name) = &wanted.room_name {
        let free = match check_name("room_name", name) {
            Ok(name) => fields::refuse_other_orders_name(tx, &name, wanted.order).await,
            Err(error) => Err(error),
        };
        findings.push(verdict("room_name", free, "the name is free")?);
    }
    let mut group = None;
    if let Some((source, text, named_by)) = &wanted.group {
        let named = GroupRef {
            source: *source,
            group: text.clone(),
            named_by: *named_by,
        };
        match check_group(tx, &named, wanted.order).await {
            Ok(news) => {
                group = news.id;
                findings.extend(about_group(&news));
            }
            Err(error) => findings.push(verdict("group", Err(error), "")?),
        }
    }
    if let Some(address) = &wanted.administrator {
        match fields::check_administrator(policy, address) {
            Ok(address) => findings.push(about_administrator(tx, &address, group).await?),
            Err(error) => findings.push(verdict("administrator", Err(error), "")?),
        }
    }
    if let Some(expected) = wanted.expected
        && let Err(error) = fields::check_expected(expected)
    {
        findings.push(verdict("expected", Err(error), "")?);
    }
    Ok(findings)
}

async fn check_group(
    tx: &mut Tx<'_>,
    named: &GroupRef,
    order: Option<OrderId>,
) -> Result<GroupNews, EngineError> {
    check_ref(named)?;
    let source = active_source(tx, named.source).await?;
    let resolved = resolve(tx, named).await?;
    fields::refuse_wrong_id(&source, named, resolved.as_ref())?;
    refuse_taken_group(tx, named, resolved.as_ref(), order).await?;
    group_news(tx, named, None).await
}

fn about_group(news: &GroupNews) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |verdict, text: String, next: Option<&str>| {
        findings.push(Finding {
            field: "group",
            verdict,
            text,
            next: next.map(str::to_owned),
        });
    };
    match (news.candidates, &news.display_name) {
        (1, Some(name)) => {
            let text = format!("group '{name}' is known, members: {}", news.members);
            add(Verdict::Good, text, None);
        }
        (0 | 1, _) => add(
            Verdict::Unknown,
            "the group has not arrived, which is as it should be before the order is confirmed".to_owned(),
            Some("compare it once more with the group's page at the provider"),
        ),
        (several, _) => add(
            Verdict::Warning,
            format!("{several} groups of the source have this name"),
            Some("name the one that is meant by its id"),
        ),
    }
    for (count, one, several) in [
        (news.guests, "guest, who gets", "guests, who get"),
        (
            news.out_of_scope,
            "member without an address of the organisation, who gets",
            "members without an address of the organisation, who get",
        ),
        (
            news.inactive,
            "inactive member, who gets",
            "inactive members, who get",
        ),
        (
            news.nested_groups,
            "group inside it, whose members get",
            "groups inside it, whose members get",
        ),
    ] {
        if count > 0 {
            let what = if count == 1 { one } else { several };
            add(
                Verdict::Warning,
                format!("the group has {count} {what} no access"),
                None,
            );
        }
    }
    findings
}

async fn about_administrator(
    tx: &mut Tx<'_>,
    address: &str,
    group: Option<SourceGroupId>,
) -> Result<Finding, EngineError> {
    let people = query::person::by_email(tx, address).await?;
    let people: Vec<PersonId> = people.iter().map(|person| person.id).collect();
    let mut accounts = query::user::of_persons(tx, people).await?;
    accounts.retain(|account| account.gone.is_none());
    let finding = |verdict, text: String, next: Option<&str>| Finding {
        field: "administrator",
        verdict,
        text,
        next: next.map(str::to_owned),
    };
    if accounts.is_empty() {
        return Ok(finding(
            Verdict::Unknown,
            format!("{address} is a company address; no account with it has arrived yet"),
            Some("see that they are in the group before it is added"),
        ));
    }
    let Some(group) = group else {
        return Ok(finding(
            Verdict::Good,
            format!("{address} is a company address, and an account with it is known"),
            Some("see that they are in the group before it is added"),
        ));
    };
    for account in &accounts {
        if query::group::has_member(tx, group, account.id).await? {
            return Ok(finding(Verdict::Good, format!("{address} is in the group"), None));
        }
    }
    Ok(finding(
        Verdict::Warning,
        format!("{address} is known, and no push named them as a member of the group"),
        Some("add them to the group at the identity provider, or name another administrator"),
    ))
}

/// A guard's answer as a finding; what is no answer of a guard stays an error.
fn verdict(field: &'static str, answer: Result<(), EngineError>, good: &str) -> Result<Finding, EngineError> {
    let (text, next) = match answer {
        Ok(()) => {
            return Ok(Finding {
                field,
                verdict: Verdict::Good,
                text: good.to_owned(),
                next: None,
            });
        }
        Err(EngineError::Invalid { problem, .. }) => (problem, None),
        Err(EngineError::Refused(refusal)) => (refusal.message, Some(refusal.next)),
        Err(error @ EngineError::NotFound { .. }) => (error.to_string(), None),
        Err(error) => return Err(error),
    };
    Ok(Finding {
        field,
        verdict: Verdict::Bad,
        text,
        next,
    })
}
