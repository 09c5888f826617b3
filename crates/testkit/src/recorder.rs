//! A sink that remembers what it took, page by page.

use async_trait::async_trait;
use usher_core::{AdapterError, ChangeSink, DirectoryChange, ErrorKind, RetryAdvice};
use usher_fakes::Faults;

/// What one call of [`ChangeSink::take`] brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The changes, in order.
    pub changes: Vec<DirectoryChange>,
    /// How many requests the provider had seen by then.
    pub requests: u32,
}

/// Remembers every page, and can refuse one.
#[derive(Debug)]
pub struct Recorder {
    pages: Vec<Page>,
    refuses: Option<usize>,
    refused: bool,
    after_refusal: usize,
    faults: Faults,
}

impl Recorder {
    /// Takes everything. Requests are counted where `faults` are asked for.
    #[must_use]
    pub const fn new(faults: Faults) -> Self {
        Self {
            pages: Vec::new(),
            refuses: None,
            refused: false,
            after_refusal: 0,
            faults,
        }
    }

    /// Refuses the page with this number, counted from zero, and all that follow.
    #[must_use]
    pub const fn refusing(mut self, page: Option<usize>) -> Self {
        self.refuses = page;
        self
    }

    /// The pages that were taken.
    #[must_use]
    pub fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// Whether a page was refused.
    #[must_use]
    pub const fn refused(&self) -> bool {
        self.refused
    }

    /// How many pages came after a refusal; a reader that stops sends none.
    #[must_use]
    pub const fn after_refusal(&self) -> usize {
        self.after_refusal
    }

    /// The pages, for good.
    #[must_use]
    pub fn into_pages(self) -> Vec<Page> {
        self.pages
    }
}

#[async_trait]
impl ChangeSink for Recorder {
    async fn take(&mut self, changes: Vec<DirectoryChange>) -> Result<(), AdapterError> {
        if self.refuses.is_some_and(|page| self.pages.len() >= page) {
            self.after_refusal += usize::from(self.refused);
            self.refused = true;
            return Err(AdapterError::new(
                ErrorKind::Unexpected,
                RetryAdvice::Now,
                "take",
                "the disk is full",
            ));
        }
        self.pages.push(Page {
            changes,
            requests: self.faults.requests(),
        });
        Ok(())
    }
}
