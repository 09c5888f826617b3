//! Who is in a room is who is wanted there, once.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, State};

/// A room and a person.
type Pair = (String, String);

/// Whom the directory and the mappings want where, against who is there; and every stay against the others of the same
/// person.
pub fn rooms(state: &State) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut inside: BTreeMap<Pair, Vec<&str>> = BTreeMap::new();
    for membership in state.memberships.iter().filter(|membership| membership.active) {
        let pair = (membership.room.clone(), membership.person.clone());
        inside.entry(pair).or_default().push(&membership.kind);
    }
    for ((room, person), kinds) in &inside {
        if kinds.len() > 1 {
            let (room, person) = (room.clone(), person.clone());
            findings.push(Finding::Doubled { room, person });
        }
    }
    let wanted = wanted(state);
    let is_held = |room: &str, person: &str| {
        let mut open = state.holds.iter().filter(|hold| hold.state == "open");
        open.any(|hold| hold.room == room && hold.people.contains(person))
    };
    for ((room, person), kinds) in &inside {
        if is_held(room, person) {
            continue;
        }
        if kinds.contains(&"managed") && !wanted.contains(&(room.clone(), person.clone())) {
            let (room, person) = (room.clone(), person.clone());
            findings.push(Finding::NotWanted { room, person });
        }
    }
    let missing = wanted.into_iter().filter(|pair| !inside.contains_key(pair));
    findings.extend(missing.map(|(room, person)| Finding::NotInside { room, person }));
    findings.extend(overlapping(state));
    findings
}

/// A confirmed mapping names a live group with a live, active user in scope who is a member and not distrusted.
fn wanted(state: &State) -> BTreeSet<Pair> {
    let mut wanted = BTreeSet::new();
    for mapping in state.mappings.iter().filter(|mapping| mapping.is_confirmed) {
        let Some(group) = &mapping.group else { continue };
        if state.groups.get(group).is_none_or(|group| group.gone) {
            continue;
        }
        for (_, user) in state.members_of(group).filter(|(dormant, _)| !dormant) {
            let counts = |user: &&super::User| !user.gone && user.active && user.in_scope;
            if let Some(user) = state.users.get(user).filter(counts) {
                wanted.insert((mapping.room.clone(), user.person.clone()));
            }
        }
    }
    // Who waits at a door for a human is wanted and not inside.
    wanted.retain(|pair| !state.parked.contains(pair) && !state.archived.contains(&pair.0));
    wanted
}

/// Stays of one person in one room follow each other.
fn overlapping(state: &State) -> Vec<Finding> {
    let places: BTreeMap<&str, Pair> = state
        .memberships
        .iter()
        .map(|membership| {
            (
                membership.id.as_str(),
                (membership.room.clone(), membership.person.clone()),
            )
        })
        .collect();
    let mut stays: BTreeMap<&Pair, Vec<(i64, i64)>> = BTreeMap::new();
    for period in &state.periods {
        if let Some(pair) = places.get(period.membership.as_str()) {
            let stay = (period.from, period.to.unwrap_or(i64::MAX));
            stays.entry(pair).or_default().push(stay);
        }
    }
    let mut findings = Vec::new();
    for ((room, person), mut stays) in stays {
        stays.sort_unstable();
        let is_backwards = stays.iter().any(|(from, to)| to < from);
        if is_backwards || stays.windows(2).any(|two| two[1].0 < two[0].1) {
            let (room, person) = (room.clone(), person.clone());
            findings.push(Finding::Overlapping { room, person });
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::{Group, Mapping, Membership, Period, User};
    use super::*;

    /// Ada is in the board's group, and in its room.
    fn state() -> State {
        State {
            users: BTreeMap::from([(
                "ada@idp".into(),
                User {
                    person: "ada".into(),
                    name: "Ada".into(),
                    remote: None,
                    active: true,
                    in_scope: true,
                    gone: false,
                },
            )]),
            groups: BTreeMap::from([(
                "board".into(),
                Group {
                    name: "Board".into(),
                    remote: None,
                    gone: false,
                },
            )]),
            members: BTreeMap::from([(("board".into(), "ada@idp".into()), false)]),
            mappings: vec![Mapping {
                room: "room".into(),
                group: Some("board".into()),
                is_confirmed: true,
            }],
            memberships: vec![membership("first")],
            periods: vec![period("first", 10, None)],
            ..State::default()
        }
    }

    fn membership(id: &str) -> Membership {
        Membership {
            id: id.into(),
            room: "room".into(),
            person: "ada".into(),
            kind: "managed".into(),
            active: true,
        }
    }

    fn period(membership: &str, from: i64, to: Option<i64>) -> Period {
        Period {
            membership: membership.into(),
            from,
            to,
        }
    }

    fn pair() -> (String, String) {
        ("room".into(), "ada".into())
    }

    #[test]
    fn who_is_wanted_and_inside_once_is_fine() {
        assert_eq!(rooms(&state()), []);
    }

    #[test]
    fn a_membership_that_is_there_twice_is_found() {
        let mut state = state();
        state.memberships.push(membership("second"));
        let (room, person) = pair();
        assert_eq!(rooms(&state), [Finding::Doubled { room, person }]);
    }

    #[test]
    fn whoever_is_inside_without_being_wanted_is_found() {
        let (room, person) = pair();
        let expected = [Finding::NotWanted { room, person }];
        let spoil: [fn(&mut State); 6] = [
            |state| state.members.clear(),
            |state| state.members.values_mut().for_each(|dormant| *dormant = true),
            |state| state.users.values_mut().for_each(|user| user.active = false),
            |state| state.users.values_mut().for_each(|user| user.gone = true),
            |state| state.groups.values_mut().for_each(|group| group.gone = true),
            |state| state.mappings[0].is_confirmed = false,
        ];
        for spoil in spoil {
            let mut state = state();
            spoil(&mut state);
            assert_eq!(rooms(&state), expected);
        }
    }

    #[test]
    fn whoever_is_held_may_be_inside_until_it_is_decided() {
        let mut state = state();
        state.members.clear();
        state.holds = vec![super::super::Hold {
            room: "room".into(),
            state: "open".into(),
            closed: None,
            people: BTreeSet::from(["ada".into()]),
        }];
        assert_eq!(rooms(&state), []);
        state.holds[0].state = "approved".into();
        let (room, person) = pair();
        assert_eq!(rooms(&state), [Finding::NotWanted { room, person }]);
    }

    #[test]
    fn whoever_is_wanted_and_not_inside_is_found_unless_a_human_is_waited_for() {
        let mut state = state();
        state.memberships[0].active = false;
        state.periods[0].to = Some(20);
        let (room, person) = pair();
        assert_eq!(rooms(&state), [Finding::NotInside { room, person }]);
        state.parked.insert(pair());
        assert_eq!(rooms(&state), []);
    }

    #[test]
    fn stays_at_the_same_time_are_found_and_stays_one_after_the_other_are_not() {
        let (room, person) = pair();
        let expected = Finding::Overlapping { room, person };
        for (first, second, is_fine) in [
            ((10, Some(20)), (20, None), true),
            ((10, Some(20)), (19, None), false),
            ((10, None), (5, Some(11)), false),
            ((30, Some(20)), (40, None), false),
        ] {
            let mut state = state();
            state.memberships[0].active = false;
            state.memberships.push(membership("second"));
            state.periods = vec![
                period("first", first.0, first.1),
                period("second", second.0, second.1),
            ];
            let found = rooms(&state);
            assert_eq!(
                found.contains(&expected),
                !is_fine,
                "{first:?}, {second:?}: {found:?}"
            );
        }
    }
}
