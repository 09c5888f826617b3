//! Where people sign in. The routes are the server's; this is the page.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use crate::assets::{Assets, assets};
use crate::render::{guard, page_with};

/// What the page offers.
#[derive(Debug, Clone, Default)]
pub struct SignIn {
    /// Whose Usher it is.
    pub organisation: String,
    /// The providers, in the order of the configuration.
    pub providers: Vec<Provider>,
    /// Whether a local administrator may sign in by name and password: `POST /sign-in` with `name` and `password`.
    pub local: bool,
    /// Where to go afterwards: a path of this site, handed on as the field `next`.
    pub next: String,
    /// The field `csrf` of the forms, for before there is a session.
    pub csrf: String,
    /// The name that was typed before.
    pub name: String,
    /// What to tell.
    pub message: Option<SignInMessage>,
}

/// Somebody who vouches for people.
#[derive(Debug, Clone)]
pub struct Provider {
    /// What people call it.
    pub label: String,
    /// Where its link leads, by GET and with `next`: the policy stops a form that is led on to another site.
    pub action: String,
}

/// What the page tells.
#[derive(Debug, Clone)]
pub struct SignInMessage {
    /// A sentence or two.
    pub text: String,
    /// Whether it went wrong.
    pub bad: bool,
}

/// The page, with this status.
#[must_use]
pub fn sign_in(status: StatusCode, shown: SignIn) -> Response {
    let template = SignInPage {
        assets: assets(),
        shown,
    };
    let mut response = page_with(status, &template);
    guard(&mut response);
    response
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    assets: &'static Assets,
    shown: SignIn,
}
