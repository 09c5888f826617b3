//! Who is always in one of a room's groups stays in the room without a break.

use std::collections::BTreeSet;

use super::{Finding, State};

/// Each of these accounts has one stay in this room, which goes on since it began.
pub fn kept(state: &State, room: &str, users: &[String]) -> Vec<Finding> {
    let persons: BTreeSet<&str> = users
        .iter()
        .filter_map(|user| state.users.get(user))
        .map(|user| user.person.as_str())
        .collect();
    let is_kept = |person: &&str| {
        let stays: Vec<&str> = state
            .memberships
            .iter()
            .filter(|stay| stay.room == room && stay.person == **person)
            .map(|stay| stay.id.as_str())
            .collect();
        let [stay] = stays[..] else { return false };
        let mut periods = state.periods.iter().filter(|period| period.membership == stay);
        periods.next().is_some_and(|period| period.to.is_none()) && periods.next().is_none()
    };
    persons
        .into_iter()
        .filter(|person| !is_kept(person))
        .map(|person| Finding::Interrupted {
            room: room.to_owned(),
            person: person.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Membership, Period};
    use super::*;

    #[test]
    fn a_stay_with_a_gap_a_second_stay_and_none_at_all_are_found() {
        let fine = State::with_user("ada@idp", "ada").inside("first", "room", "ada", 10, None);
        let users = ["ada@idp".to_owned()];
        assert_eq!(kept(&fine, "room", &users), []);
        let found = |room: &str| {
            [Finding::Interrupted {
                room: room.into(),
                person: "ada".into(),
            }]
        };
        let gap = fine.clone().period("first", 20, None);
        assert_eq!(kept(&gap, "room", &users), found("room"));
        let ended = State::with_user("ada@idp", "ada").inside("first", "room", "ada", 10, Some(20));
        assert_eq!(kept(&ended, "room", &users), found("room"));
        let twice = ended.inside("second", "room", "ada", 20, None);
        assert_eq!(kept(&twice, "room", &users), found("room"));
        assert_eq!(kept(&fine, "another room", &users), found("another room"));
    }

    impl State {
        /// One account that counts.
        pub fn with_user(user: &str, person: &str) -> Self {
            let account = super::super::User {
                person: person.into(),
                name: user.into(),
                remote: None,
                active: true,
                in_scope: true,
                gone: false,
            };
            Self {
                users: [(user.to_owned(), account)].into(),
                ..Self::default()
            }
        }

        /// And a managed stay.
        pub fn inside(mut self, id: &str, room: &str, person: &str, from: i64, to: Option<i64>) -> Self {
            self.memberships.push(Membership {
                id: id.into(),
                room: room.into(),
                person: person.into(),
                kind: "managed".into(),
                active: to.is_none(),
            });
            self.period(id, from, to)
        }

        /// And a time of one.
        pub fn period(mut self, membership: &str, from: i64, to: Option<i64>) -> Self {
            self.periods.push(Period {
                membership: membership.into(),
                from,
                to,
            });
            self
        }
    }
}
