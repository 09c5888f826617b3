//! Nothing acknowledged is lost.

use std::collections::{BTreeMap, BTreeSet};

use super::super::journal::{Entry, Key, Outcome, Said};
use super::Finding;

/// What there is, as one who looks at it sees it.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The users that are there, by id: their name, and whether they are active.
    pub users: BTreeMap<String, (String, bool)>,
    /// The groups that are there, by id: their name.
    pub groups: BTreeMap<String, String>,
    /// The members, as group and user.
    pub members: BTreeSet<(String, String)>,
}

impl Facts {
    /// What is there; `None` where it is not for this key to say, because the user or group itself is not there.
    fn look(&self, key: &Key) -> Option<Said> {
        match key {
            Key::User(user) => Some(self.users.contains_key(user).into()),
            Key::UserName(user) => self.users.get(user).map(|(name, _)| name.as_str().into()),
            Key::Active(user) => self.users.get(user).map(|(_, active)| (*active).into()),
            Key::Group(group) => Some(self.groups.contains_key(group).into()),
            Key::GroupName(group) => self.groups.get(group).map(|name| name.as_str().into()),
            Key::Member { group, user } => (self.groups.contains_key(group) && self.users.contains_key(user))
                .then(|| self.members.contains(&(group.clone(), user.clone())).into()),
        }
    }
}

/// Every value is one that may have been set last.
pub fn directory(entries: &[Entry], facts: &Facts) -> Vec<Finding> {
    let mut writes: BTreeMap<&Key, Vec<(&Entry, &Said)>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.outcome != Outcome::Refused) {
        for (key, said) in &entry.writes {
            writes.entry(key).or_default().push((entry, said));
        }
    }
    let lost = |(key, writes): (&Key, Vec<(&Entry, &Said)>)| {
        let found = facts.look(key)?;
        let allowed = last_ones(key, &writes);
        (!allowed.contains(&found)).then(|| Finding::Lost {
            key: key.clone(),
            found: Some(found),
            allowed: allowed.into_iter().collect(),
            operations: writes.iter().map(|(entry, said)| shown(entry, said)).collect(),
        })
    };
    writes.into_iter().filter_map(lost).collect()
}

fn shown(entry: &Entry, said: &Said) -> String {
    let ended = entry.ended.map_or_else(String::new, |ended| ended.to_string());
    let what: String = entry.what.chars().take(80).collect();
    format!("{}-{ended} {:?} {said:?}: {what}", entry.began, entry.outcome)
}

/// The values that may have been set last. One was not set last if an acknowledged operation on the same began after its
/// own had ended.
fn last_ones(key: &Key, writes: &[(&Entry, &Said)]) -> BTreeSet<Said> {
    let acknowledged = writes
        .iter()
        .filter(|(entry, _)| entry.outcome == Outcome::Acknowledged);
    let newest = acknowledged.map(|(entry, _)| entry.began).max();
    let may_be_last =
        |entry: &Entry| newest.is_none_or(|newest| entry.ended.is_none_or(|ended| ended > newest));
    let mut allowed: BTreeSet<Said> = writes
        .iter()
        .filter(|(entry, _)| may_be_last(entry))
        .map(|(_, said)| (*said).clone())
        .collect();
    // Nobody is a member, and nothing is there, before somebody says so.
    if newest.is_none() && matches!(key, Key::User(_) | Key::Group(_) | Key::Member { .. }) {
        allowed.insert(false.into());
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Acknowledged, Refused, Unknown};

    /// Operations on the activity of one user, whose name nobody set: when they began and ended, and what came of them.
    fn check(operations: &[(u64, Option<u64>, Outcome, bool)], found: bool, is_fine: bool) {
        let entries: Vec<Entry> = operations
            .iter()
            .map(|(began, ended, outcome, active)| Entry {
                what: String::new(),
                writes: vec![(Key::Active("ada".into()), (*active).into())],
                began: *began,
                ended: *ended,
                outcome: *outcome,
            })
            .collect();
        let facts = Facts {
            users: BTreeMap::from([("ada".into(), ("Ada".into(), found))]),
            ..Facts::default()
        };
        let findings = directory(&entries, &facts);
        assert_eq!(
            findings.is_empty(),
            is_fine,
            "{operations:?}, {found}: {findings:?}"
        );
    }

    #[test]
    fn one_after_the_other_the_last_one_counts() {
        let operations = [
            (1, Some(2), Acknowledged, true),
            (3, Some(4), Acknowledged, false),
        ];
        check(&operations, false, true);
        check(&operations, true, false);
    }

    #[test]
    fn at_the_same_time_either_may_be_last() {
        let operations = [
            (1, Some(3), Acknowledged, true),
            (2, Some(4), Acknowledged, false),
        ];
        check(&operations, false, true);
        check(&operations, true, true);
    }

    #[test]
    fn what_is_not_known_may_be_and_what_was_refused_may_not() {
        let before = (1, Some(2), Acknowledged, true);
        check(&[before, (3, None, Unknown, false)], false, true);
        check(&[before, (3, None, Unknown, false)], true, true);
        check(&[before, (3, Some(4), Refused, false)], false, false);
        check(
            &[
                before,
                (3, None, Unknown, false),
                (5, Some(6), Acknowledged, true),
            ],
            false,
            true,
        );
    }

    #[test]
    fn a_user_who_is_gone_and_a_member_who_is_missing_are_lost_changes() {
        let member = Key::Member {
            group: "board".into(),
            user: "ada".into(),
        };
        let entries = [Entry {
            what: "add Ada".into(),
            writes: vec![
                (Key::User("ada".into()), true.into()),
                (member.clone(), true.into()),
            ],
            began: 1,
            ended: Some(2),
            outcome: Acknowledged,
        }];
        let mut facts = Facts {
            groups: BTreeMap::from([("board".into(), "Board".into())]),
            ..Facts::default()
        };
        let lost = |key: Key| Finding::Lost {
            key,
            found: Some(false.into()),
            allowed: vec![true.into()],
            operations: vec!["1-2 Acknowledged Flag(true): add Ada".into()],
        };
        assert_eq!(directory(&entries, &facts), [lost(Key::User("ada".into()))]);
        facts.users.insert("ada".into(), ("Ada".into(), true));
        assert_eq!(directory(&entries, &facts), [lost(member)]);
        facts.members.insert(("board".into(), "ada".into()));
        assert_eq!(directory(&entries, &facts), []);
    }

    #[test]
    fn what_was_only_asked_for_need_not_be_there() {
        let entries = [Entry {
            what: String::new(),
            writes: vec![(Key::User("ada".into()), true.into())],
            began: 1,
            ended: None,
            outcome: Unknown,
        }];
        assert_eq!(directory(&entries, &Facts::default()), []);
    }
}
