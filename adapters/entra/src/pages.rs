//! The way along the pages of a list.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use usher_core::AdapterError;

use crate::client::odd;

/// A page may come twice; a link that is given more often goes round in a circle.
const MOST_VISITS: u8 = 3;

/// Pages that bring nothing are documented; so many in a row are not.
const MOST_IDLE: u32 = 1000;

/// Notices a list that has no end.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    /// How often each link was given, by its hash.
    visits: HashMap<u64, u8>,
    idle: u32,
}

impl Trail {
    /// Notes a link that is about to be followed, and whether the page before it brought anything new.
    pub(crate) fn step(
        &mut self,
        operation: &'static str,
        link: &str,
        news: bool,
    ) -> Result<(), AdapterError> {
        let mut hasher = DefaultHasher::new();
        link.hash(&mut hasher);
        let visits = self.visits.entry(hasher.finish()).or_default();
        *visits += 1;
        self.idle = if news { 0 } else { self.idle + 1 };
        if *visits >= MOST_VISITS || self.idle > MOST_IDLE {
            return Err(odd(
                operation,
                "the list goes round in a circle; nothing is taken as complete",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_may_come_twice_and_no_more() {
        let mut trail = Trail::default();
        assert!(trail.step("read", "a", true).is_ok());
        assert!(trail.step("read", "a", false).is_ok());
        assert!(trail.step("read", "b", true).is_ok());
        assert!(trail.step("read", "a", true).is_err());
    }

    #[test]
    fn empty_pages_come_to_an_end() {
        let mut trail = Trail::default();
        let steps = (0..2000).map(|number| trail.step("read", &number.to_string(), false));
        assert!(steps.into_iter().any(|step| step.is_err()));
    }
}
