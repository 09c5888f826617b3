//! What people read: one thing as lines, many as a table.

use std::fmt::Write as _;

use super::output::table;
use crate::api::view::{
    FreshnessView, HoldDetails, HoldView, MappingView, MembershipView, OrderDetails, OrderView, PlanView,
    RestoreDetails, RestorePlanView, RestoreView, RetirePlanView, RoomView, StayView, TallyView,
};

/// Names and values, a line each; what is empty is left out.
pub(super) fn fields(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(text, "{name:width$}  {value}").expect("text takes all lines");
    }
    text
}

/// Text of something that may be absent.
pub(super) fn or_nothing(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

pub(super) fn rooms(rooms: &[RoomView]) -> String {
    let rows = rooms
        .iter()
        .map(|room| {
            let mark = if room.no_administrator_since.is_some() {
                "no administrator"
            } else {
                ""
            };
            [
                room.id.to_string(),
                room.name.clone(),
                room.state.to_string(),
                room.model.as_str().to_owned(),
                mark.to_owned(),
            ]
        })
        .collect();
    table(["Id", "Name", "State", "Model", ""], rows, "There are no rooms.")
}

pub(super) fn room(room: &RoomView) -> String {
    fields(&[
        ("Room", room.name.clone()),
        ("Id", room.id.to_string()),
        ("State", room.state.to_string()),
        ("Model", room.model.as_str().to_owned()),
        ("Features", room.features.join(", ")),
        ("Portal id", or_nothing(room.portal_id.as_ref())),
        ("URL", or_nothing(room.url.as_ref())),
        (
            "No administrator since",
            or_nothing(room.no_administrator_since.as_ref()),
        ),
        ("Created", room.created.to_string()),
    ])
}

pub(super) fn orders(orders: &[OrderView]) -> String {
    let rows = orders
        .iter()
        .map(|order| {
            [
                order.id.to_string(),
                order.room_name.clone(),
                order.state.to_string(),
                order.since.to_string(),
                order.requester.clone(),
            ]
        })
        .collect();
    table(
        ["Id", "Room", "State", "Since", "Requester"],
        rows,
        "There are no orders.",
    )
}

pub(super) fn order(order: &OrderView) -> String {
    let mut text = fields(&order_fields(order));
    say_warnings(&mut text, order);
    text
}

/// What the source says of the group, a line each.
fn say_warnings(text: &mut String, order: &OrderView) {
    for warning in order.source_says.iter().flat_map(|says| &says.warnings) {
        write!(text, "\n  ! {warning}").expect("text takes all lines");
    }
}

fn order_fields(order: &OrderView) -> Vec<(&'static str, String)> {
    vec![
        ("Order", order.id.to_string()),
        ("Room", order.room_name.clone()),
        ("State", format!("{} since {}", order.state, order.since)),
        ("Customer", order.customer.clone()),
        ("Requester", order.requester.clone()),
        ("Administrator", order.administrator.clone()),
        (
            "Access to all content",
            if order.all_content { "yes" } else { "no" }.to_owned(),
        ),
        ("Model", order.model.as_str().to_owned()),
        ("Features", order.features.join(", ")),
        (
            "Group",
            format!("{} ({}, source {})", order.group, order.named_by, order.source),
        ),
        ("Expected people", order.expected.to_string()),
        ("Mapping", or_nothing(order.mapping.as_ref())),
        ("Set-up user due", or_nothing(order.bootstrap_due.as_ref())),
        ("Closed because", or_nothing(order.closing_reason.as_ref())),
    ]
}

pub(super) fn order_details(details: &OrderDetails) -> String {
    let status = &details.status;
    let mut rows = order_fields(&details.order);
    rows.extend([
        (
            "Arrived",
            format!("{} of {} expected", status.arrived, status.expected),
        ),
        ("Last one came", or_nothing(status.last_arrival.as_ref())),
        ("Administrator is", status.administrator.replace('_', " ")),
        ("Next is", status.next.to_owned()),
    ]);
    let mut text = fields(&rows);
    for step in &status.missing {
        writeln!(text, "  - {step}").expect("text takes all lines");
    }
    say_warnings(&mut text, &details.order);
    text
}

pub(super) fn mappings(mappings: &[MappingView]) -> String {
    let rows = mappings
        .iter()
        .map(|mapping| {
            [
                mapping.id.to_string(),
                mapping.room.name.clone(),
                mapping
                    .group_name
                    .clone()
                    .unwrap_or_else(|| mapping.group_ref.clone()),
                mapping.source.clone(),
                mapping.level.clone(),
                mapping.state.to_string(),
                if mapping.group.is_some() {
                    ""
                } else {
                    "not arrived"
                }
                .to_owned(),
            ]
        })
        .collect();
    table(
        ["Id", "Room", "Group", "Source", "Level", "State", ""],
        rows,
        "There are no mappings.",
    )
}

pub(super) fn plan(plan: &PlanView) -> String {
    let mut text = format!("Room '{}'\n", plan.room.name);
    if let Some(group) = &plan.group {
        let name = group.display_name.as_ref().unwrap_or(&group.group_ref);
        let arrived = match group.candidates {
            0 => "has not arrived".to_owned(),
            1 => format!("{} members", group.members),
            several => format!("ambiguous: {several} groups have this name"),
        };
        writeln!(text, "Group '{name}': {arrived}").expect("text takes all lines");
    }
    if let Some(administrator) = &plan.administrator {
        let found = match administrator.found.as_slice() {
            [] => "is not in the group".to_owned(),
            [one] => one.outcome.replace('_', " "),
            _ => "is ambiguous".to_owned(),
        };
        writeln!(text, "Administrator {}: {found}", administrator.email).expect("text takes all lines");
    }
    text.push('\n');
    text.push_str(&tallies(&plan.people));
    write!(text, "\n\nPlan {}", plan.digest).expect("text takes all lines");
    text
}

/// What would happen to how many, and to whom first.
pub(super) fn tallies(tallies: &[TallyView]) -> String {
    let rows = tallies
        .iter()
        .map(|tally| {
            let mut names: Vec<_> = tally
                .first
                .iter()
                .take(5)
                .map(|person| person.email.clone().unwrap_or_else(|| person.person.to_string()))
                .collect();
            if tally.count > names.len() as u64 {
                names.push("…".to_owned());
            }
            [
                tally.outcome.replace('_', " "),
                tally.count.to_string(),
                names.join(", "),
            ]
        })
        .collect();
    table(["What", "People", "Who"], rows, "Nothing happens to anybody.")
}

pub(super) fn retire_plan(plan: &RetirePlanView) -> String {
    let mut text = format!(
        "Source '{}' is {}. Retiring it ends {} memberships in {} rooms and retires {} mappings.\n",
        plan.source, plan.state, plan.leaves, plan.rooms, plan.mappings
    );
    for room in &plan.first {
        write!(text, "\n{}\n{}\n", room.room.name, tallies(&room.people)).expect("text takes all lines");
    }
    write!(text, "\nPlan {}", plan.digest).expect("text takes all lines");
    text
}

pub(super) fn memberships(memberships: &[MembershipView]) -> String {
    let rows = memberships
        .iter()
        .map(|membership| {
            [
                membership.id.to_string(),
                membership.person.to_string(),
                membership.level.clone(),
                membership.kind.to_string(),
                membership.started.to_string(),
                membership
                    .stray
                    .map(|stray| stray.to_string().replace('_', " "))
                    .unwrap_or_default(),
            ]
        })
        .collect();
    table(
        ["Membership", "Person", "Level", "Kind", "Since", ""],
        rows,
        "Nobody is in the room.",
    )
}

pub(super) fn membership(membership: &MembershipView) -> String {
    let state = match (&membership.ended, membership.end_reason) {
        (Some(ended), Some(reason)) if !membership.active => {
            format!("ended {ended}: {}", reason.to_string().replace('_', " "))
        }
        _ => "active".to_owned(),
    };
    fields(&[
        ("Membership", membership.id.to_string()),
        ("Person", membership.person.to_string()),
        ("Room", membership.room.name.clone()),
        ("Level", membership.level.clone()),
        ("Kind", membership.kind.to_string()),
        ("Since", membership.started.to_string()),
        ("State", state),
        (
            "Stays because",
            membership
                .stray
                .map(|stray| stray.to_string().replace('_', " "))
                .unwrap_or_default(),
        ),
        ("Owner", or_nothing(membership.owner.as_ref())),
        ("Until", or_nothing(membership.until.as_ref())),
    ])
}

pub(super) fn stays(stays: &[StayView]) -> String {
    let mut rows = Vec::new();
    for stay in stays {
        for period in &stay.periods {
            rows.push([
                stay.membership.id.to_string(),
                stay.membership.room.name.clone(),
                stay.membership.level.clone(),
                stay.membership.kind.to_string(),
                period.from.to_string(),
                period.from_reason.to_string().replace('_', " "),
                or_nothing(period.to.as_ref()),
                period
                    .to_reason
                    .map(|reason| reason.to_string().replace('_', " "))
                    .unwrap_or_default(),
            ]);
        }
    }
    table(
        [
            "Membership",
            "Room",
            "Level",
            "Kind",
            "From",
            "because",
            "To",
            "because",
        ],
        rows,
        "They were never in the room.",
    )
}

pub(super) fn holds(holds: &[HoldView]) -> String {
    let rows = holds
        .iter()
        .map(|hold| {
            [
                hold.id.to_string(),
                hold.kind.to_string(),
                hold.room.name.clone(),
                hold.source.clone(),
                hold.state.to_string(),
                or_nothing(hold.due.as_ref()),
                hold.cause.clone(),
            ]
        })
        .collect();
    table(
        ["Id", "Holds", "Room", "Source", "State", "Due", "Cause"],
        rows,
        "There are no holds.",
    )
}

pub(super) fn hold_details(details: &HoldDetails) -> String {
    let rows = details
        .people
        .iter()
        .map(|held| {
            [
                held.person.to_string(),
                held.reason.replace('_', " "),
                held.at.to_string(),
            ]
        })
        .collect();
    let hold = &details.hold;
    format!(
        "{}\n{}\n\nPlan {}",
        fields(&[
            ("Hold", hold.id.to_string()),
            ("Holds", hold.kind.to_string()),
            ("Room", hold.room.name.clone()),
            ("Source", hold.source.clone()),
            ("State", hold.state.to_string()),
            ("Cause", hold.cause.clone()),
            ("Applied by itself", or_nothing(hold.due.as_ref())),
        ]),
        table(["Person", "Why", "Since"], rows, "Nobody is in it."),
        details.digest
    )
}

pub(super) fn restores(restores: &[RestoreView]) -> String {
    let rows = restores
        .iter()
        .map(|restore| {
            [
                restore.id.to_string(),
                restore.person.to_string(),
                restore.room.name.clone(),
                restore.state.to_string(),
                restore.opened.to_string(),
            ]
        })
        .collect();
    table(
        ["Id", "Person", "Room", "State", "Opened"],
        rows,
        "There are no restores.",
    )
}

pub(super) fn restore_details(details: &RestoreDetails) -> String {
    let rows = details
        .candidates
        .iter()
        .map(|candidate| {
            let membership = &candidate.membership;
            [
                membership.id.to_string(),
                if details.best == Some(membership.id) {
                    "best"
                } else {
                    ""
                }
                .to_owned(),
                membership.level.clone(),
                or_nothing(membership.ended.as_ref()),
                candidate.ended_by.to_owned(),
                if candidate.same_identity {
                    "same"
                } else {
                    "may be the same"
                }
                .to_owned(),
                candidate.grants.len().to_string(),
            ]
        })
        .collect();
    format!(
        "Restore {} of {} in '{}': {}\n\n{}",
        details.restore.id,
        details.restore.person,
        details.restore.room.name,
        details.restore.state,
        table(
            ["Candidate", "", "Level", "Ended", "by", "Identity", "Grants"],
            rows,
            "There is nothing to restore.",
        )
    )
}

/// How fresh the knowledge of a source is.
fn freshness(known: &FreshnessView) -> String {
    match (&known.asked, &known.unreachable, &known.last_write) {
        (Some(at), Some(reason), _) => format!("{} could not be asked at {at} ({reason})", known.source),
        (Some(at), None, _) => format!("{}, asked at {at}", known.source),
        (None, _, Some(at)) => format!("{}, last written at {at}", known.source),
        (None, _, None) => known.source.clone(),
    }
}

pub(super) fn restore_plan(plan: &RestorePlanView) -> String {
    let grants: Vec<_> = plan
        .candidate
        .grants
        .iter()
        .map(|grant| (grant, "comes back"))
        .chain(plan.gained.iter().map(|grant| (grant, "was gained meanwhile")))
        .map(|(grant, how)| {
            [
                grant.id.to_string(),
                grant.kind.clone(),
                grant.label.clone(),
                how.to_owned(),
            ]
        })
        .collect();
    let level = match (plan.level.valid, plan.level.above) {
        (false, _) => format!(
            "{} exists no more: choose one with --level ({})",
            plan.level.former,
            plan.level.choices.join(", ")
        ),
        (true, true) => format!(
            "{}, above the present {}: confirm it with --confirm-level",
            plan.level.former, plan.level.present
        ),
        (true, false) => plan.level.former.clone(),
    };
    let refusal = plan
        .refusal
        .as_ref()
        .map(|refusal| format!("{}: {}", refusal.message, refusal.next))
        .unwrap_or_default();
    format!(
        "{}\n{}\n\nPlan {}",
        fields(&[
            ("Person", plan.present.person.to_string()),
            ("Room", plan.present.room.name.clone()),
            ("Ends", plan.present.id.to_string()),
            ("Comes back", plan.candidate.membership.id.to_string()),
            ("Level", level),
            (
                "Known from",
                plan.freshness
                    .iter()
                    .map(freshness)
                    .collect::<Vec<_>>()
                    .join("; ")
            ),
            ("Refused now", refusal),
        ]),
        table(
            ["Grant", "Kind", "Label", ""],
            grants,
            "No grants hang on either."
        ),
        plan.digest
    )
}
