//! Acme's JSON.

use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) name: String,
    /// How many people are in it.
    pub(crate) people: u64,
    /// Whether it is assigned to the application.
    pub(crate) assigned: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) login: String,
    pub(crate) email: Option<String>,
    pub(crate) given: String,
    pub(crate) family: String,
    pub(crate) enabled: bool,
    pub(crate) guest: bool,
}

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// Given back as `after`; without it the list ends.
    pub(crate) next: Option<String>,
}

/// The body of an error.
#[derive(Debug, Deserialize)]
pub(crate) struct Failure {
    pub(crate) error: String,
}
