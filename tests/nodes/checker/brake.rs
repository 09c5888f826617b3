//! What the brake holds stays until a human lets it go, and goes once.

use std::collections::BTreeSet;

use super::{Finding, Hold, State};

/// All of these accounts were removed from the room's group at once, and later let go by one decision: there was one hold of
/// all of them, nobody left before it was decided, and everybody left then, once.
pub fn brake(state: &State, room: &str, removed: &[String]) -> Vec<Finding> {
    let persons: BTreeSet<String> = removed
        .iter()
        .filter_map(|user| state.users.get(user))
        .map(|user| user.person.clone())
        .collect();
    let holds: Vec<&Hold> = state.holds.iter().filter(|hold| hold.room == room).collect();
    let [hold] = holds[..] else {
        return vec![Finding::HeldTwice {
            room: room.to_owned(),
            holds: holds.len(),
        }];
    };
    let mut findings = Vec::new();
    for person in persons {
        let of_them = state
            .memberships
            .iter()
            .filter(|stay| stay.room == room && stay.person == person);
        let stays: BTreeSet<&str> = of_them.map(|stay| stay.id.as_str()).collect();
        let ends: Vec<Option<i64>> = state
            .periods
            .iter()
            .filter(|period| stays.contains(period.membership.as_str()))
            .map(|period| period.to)
            .collect();
        let room = room.to_owned();
        let was_let_go = hold.state == "approved";
        let too_early =
            |end: &Option<i64>| end.is_some_and(|end| hold.closed.is_none_or(|closed| end < closed));
        if !hold.people.contains(&person) || ends.iter().any(too_early) {
            findings.push(Finding::NotHeld { room, person });
        } else if was_let_go && !matches!(ends[..], [Some(_)]) {
            findings.push(Finding::NotFollowedOnce { room, person });
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(state: &str, closed: Option<i64>) -> Hold {
        Hold {
            room: "room".into(),
            state: state.into(),
            closed,
            people: BTreeSet::from(["ada".into()]),
        }
    }

    /// Ada, who was removed, and what became of her stay and of holds.
    fn check(stays: &[(i64, Option<i64>)], holds: Vec<Hold>, expected: &[Finding]) {
        let mut state = State::with_user("ada@idp", "ada");
        for (n, (from, to)) in stays.iter().enumerate() {
            state = state.inside(&format!("stay {n}"), "room", "ada", *from, *to);
        }
        state.holds = holds;
        assert_eq!(
            brake(&state, "room", &["ada@idp".to_owned()]),
            expected,
            "{stays:?}"
        );
    }

    #[test]
    fn who_is_held_and_then_leaves_once_is_fine() {
        check(&[(1, None)], vec![hold("open", None)], &[]);
        check(&[(1, Some(50))], vec![hold("approved", Some(50))], &[]);
    }

    #[test]
    fn who_left_before_the_decision_or_is_not_in_the_hold_is_found() {
        let (room, person) = ("room".to_owned(), "ada".to_owned());
        let found = [Finding::NotHeld { room, person }];
        check(&[(1, Some(20))], vec![hold("open", None)], &found);
        check(&[(1, Some(49))], vec![hold("approved", Some(50))], &found);
        let mut of_others = hold("approved", Some(50));
        of_others.people.clear();
        check(&[(1, Some(50))], vec![of_others], &found);
    }

    #[test]
    fn who_stays_after_the_decision_or_leaves_twice_is_found() {
        let (room, person) = ("room".to_owned(), "ada".to_owned());
        let found = [Finding::NotFollowedOnce { room, person }];
        check(&[(1, None)], vec![hold("approved", Some(50))], &found);
        check(
            &[(1, Some(50)), (60, Some(70))],
            vec![hold("approved", Some(50))],
            &found,
        );
        check(
            &[(1, Some(50)), (60, None)],
            vec![hold("approved", Some(50))],
            &found,
        );
    }

    #[test]
    fn a_hold_that_was_not_made_or_made_again_is_found() {
        let found = |holds| {
            [Finding::HeldTwice {
                room: "room".into(),
                holds,
            }]
        };
        check(&[(1, Some(20))], Vec::new(), &found(0));
        let two = vec![hold("released", Some(30)), hold("approved", Some(50))];
        check(&[(1, Some(50))], two, &found(2));
    }
}
