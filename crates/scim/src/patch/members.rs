//! What a PATCH does to the members of a group.

use std::collections::HashMap;

use crate::filter::Filter;
use crate::member::MemberRef;

/// A change of a group's members. Applied in order, each to the result of the last.
#[derive(Debug, Clone, PartialEq)]
pub enum MemberDelta {
    /// These become members. Whoever already is one stays one. Nobody is named twice.
    Add(Vec<MemberRef>),
    /// These ids are no longer members. Whoever is none stays none. No id is named twice.
    Remove(Vec<String>),
    /// Nobody is a member any more.
    RemoveAll,
    /// Exactly these are members, possibly nobody. Nobody is named twice.
    ReplaceAll(Vec<MemberRef>),
    /// Members for which [`MemberRef::matches`] holds are no longer members.
    RemoveWhere(Filter),
}

/// Collects the changes of one request and joins them: a hundred adds become one list.
///
/// Between two filtered removes only the last word about each id counts, so an add and a remove of the same id leave
/// the later one.
#[derive(Debug, Default)]
pub(super) struct MemberChanges {
    done: Vec<MemberDelta>,
    /// Whether the words below stand on an emptied group, and whether a replace emptied it.
    base: Base,
    /// The last word about each id, in the order in which the ids were first named.
    words: Vec<Word>,
    positions: HashMap<String, usize>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Base {
    #[default]
    Present,
    Removed,
    Replaced,
}

#[derive(Debug)]
enum Word {
    In(MemberRef),
    Out(String),
}

impl MemberChanges {
    pub(super) fn add(&mut self, members: Vec<MemberRef>) {
        for member in members {
            let id = member.value.clone();
            self.say(id, Word::In(member));
        }
    }

    pub(super) fn remove(&mut self, ids: Vec<String>) {
        for id in ids {
            self.say(id.clone(), Word::Out(id));
        }
    }

    pub(super) fn remove_all(&mut self) {
        self.restart(Base::Removed);
    }

    pub(super) fn replace_all(&mut self, members: Vec<MemberRef>) {
        self.restart(Base::Replaced);
        self.add(members);
    }

    pub(super) fn remove_where(&mut self, filter: Filter) {
        self.flush();
        self.done.push(MemberDelta::RemoveWhere(filter));
    }

    pub(super) fn finish(mut self) -> Vec<MemberDelta> {
        self.flush();
        self.done
    }

    fn say(&mut self, id: String, word: Word) {
        match self.positions.get(&id) {
            Some(&position) => self.words[position] = word,
            None => {
                self.positions.insert(id, self.words.len());
                self.words.push(word);
            }
        }
    }

    /// Forgets everything before: it no longer matters.
    fn restart(&mut self, base: Base) {
        *self = Self {
            base,
            ..Self::default()
        };
    }

    fn flush(&mut self) {
        let mut joined = Vec::new();
        let mut left = Vec::new();
        for word in self.words.drain(..) {
            match word {
                Word::In(member) => joined.push(member),
                Word::Out(id) => left.push(id),
            }
        }
        self.positions.clear();
        match std::mem::take(&mut self.base) {
            Base::Removed if joined.is_empty() => self.done.push(MemberDelta::RemoveAll),
            Base::Removed | Base::Replaced => self.done.push(MemberDelta::ReplaceAll(joined)),
            Base::Present => {
                if !left.is_empty() {
                    self.done.push(MemberDelta::Remove(left));
                }
                if !joined.is_empty() {
                    self.done.push(MemberDelta::Add(joined));
                }
            }
        }
    }
}
