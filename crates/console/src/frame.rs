//! What surrounds a page: title, navigation, messages.

use usher_core::{Role, Timestamp};

use crate::Viewer;
use crate::access::may;
use crate::assets::{Assets, assets};
use crate::failure::{Failure, Message};
use crate::html::{Hidden, Moment, Reason};

/// What the layout shows around a page.
pub(crate) struct Frame {
    pub(crate) title: String,
    pub(crate) viewer_name: String,
    pub(crate) role: Role,
    pub(crate) nav: Vec<NavItem>,
    /// What was just done.
    pub(crate) done: Option<&'static str>,
    /// What was not done, and why.
    pub(crate) problem: Option<Message>,
    /// The newest place of the feed when the page was made.
    pub(crate) place: i64,
    pub(crate) now: Timestamp,
    pub(crate) assets: &'static Assets,
    csrf: String,
}

/// An entry of the navigation.
pub(crate) struct NavItem {
    pub(crate) href: &'static str,
    pub(crate) label: &'static str,
    pub(crate) current: bool,
}

const NAVIGATION: &[(&str, &str)] = &[
    ("/", "Overview"),
    ("/orders", "Orders"),
    ("/rooms", "Rooms"),
    ("/persons", "People"),
    ("/holds", "Holds"),
    ("/restores", "Restores"),
    ("/sources", "Sources"),
    ("/audit", "Audit"),
    ("/settings", "Settings"),
];

impl Frame {
    pub(crate) fn new(viewer: &Viewer, title: String, path: &str, now: Timestamp) -> Self {
        let nav = NAVIGATION
            .iter()
            .filter(|(href, _)| may(viewer.role, "GET", href))
            .map(|&(href, label)| NavItem {
                href,
                label,
                current: belongs(path, href),
            })
            .collect();
        Self {
            title,
            viewer_name: viewer.name.clone(),
            role: viewer.role,
            nav,
            done: None,
            problem: None,
            place: 0,
            now,
            assets: assets(),
            csrf: viewer.csrf.field().to_owned(),
        }
    }

    /// With what was not done, for the top of the page.
    pub(crate) fn with(mut self, failure: Option<&Failure>) -> Self {
        if let Some(failure) = failure {
            self.problem = Some(failure.message());
            self.done = None;
        }
        self
    }

    /// The hidden fields that every form carries: each call makes a form of its own.
    pub(crate) fn hidden(&self) -> Hidden {
        Hidden::new(&self.csrf)
    }

    /// The field for a reason, with this id.
    pub(crate) fn reason(&self, id: &'static str) -> Reason {
        Reason(id)
    }

    /// A moment, told as of now.
    pub(crate) fn time(&self, at: &Timestamp) -> Moment {
        Moment::new(*at)
    }

    /// Whether the message is about this field of the form.
    pub(crate) fn is_wrong(&self, field: &str) -> bool {
        self.problem
            .as_ref()
            .is_some_and(|problem| problem.field == field)
    }

    /// The role, in words.
    pub(crate) fn role_label(&self) -> &'static str {
        match self.role {
            Role::Viewer => "Viewer",
            Role::Requester => "Requester",
            Role::It => "Customer IT",
            Role::Support => "Support",
            Role::Admin => "Administrator",
            Role::App => "Portal",
        }
    }
}

fn belongs(path: &str, href: &str) -> bool {
    path == href || (href != "/" && path.strip_prefix(href).is_some_and(|rest| rest.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_belongs_to_the_entry_above_it() {
        assert!(belongs("/orders/1", "/orders") && belongs("/", "/"));
        assert!(!belongs("/orders", "/") && !belongs("/ordersx", "/orders"));
    }
}
