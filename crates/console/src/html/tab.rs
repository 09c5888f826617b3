//! Entries of a navigation.

/// An entry of the own navigation of a room, a source or the settings: shown by `tabs.html`.
pub(crate) struct Tab {
    pub(crate) href: String,
    pub(crate) label: &'static str,
    /// How many there are on that page, where it matters.
    pub(crate) count: Option<String>,
    pub(crate) current: bool,
}
