//! What people read when they sign in, or cannot.

use axum::response::Response;
use http::StatusCode;
use usher_console::{Provider, SignIn as Page, SignInMessage};
use usher_signin::{LocalPath, SignInError};

use crate::AppState;

/// The page where people sign in.
pub(super) fn page(
    state: &AppState,
    status: StatusCode,
    next: &LocalPath,
    name: &str,
    message: Option<SignInMessage>,
) -> Response {
    let providers = state.sign_in.providers.iter();
    let providers = providers.map(|(label, provider)| Provider {
        label: label.clone(),
        action: format!("/sign-in/{}", provider.name()),
    });
    usher_console::sign_in(
        status,
        Page {
            organisation: state.config.organisation.name.clone(),
            providers: providers.collect(),
            local: state.sign_in.sessions.password,
            next: next.to_string(),
            csrf: String::new(),
            name: name.to_owned(),
            message,
        },
    )
}

/// Something that went wrong.
pub(super) fn bad(text: impl Into<String>) -> Option<SignInMessage> {
    Some(SignInMessage {
        text: text.into(),
        bad: true,
    })
}

/// Something that worked.
pub(super) fn good(text: impl Into<String>) -> Option<SignInMessage> {
    Some(SignInMessage {
        text: text.into(),
        bad: false,
    })
}

/// Why a provider's answer let nobody in.
pub(super) fn refused(state: &AppState, label: &str, error: &SignInError, next: &LocalPath) -> Response {
    let say = |status, text: String| page(state, status, next, "", bad(text));
    match error {
        SignInError::Unreachable(_) => say(
            StatusCode::BAD_GATEWAY,
            format!("{label} cannot be asked right now. Try again in a moment; if this stays, tell whoever runs Usher."),
        ),
        SignInError::Denied { code, .. } if code == "access_denied" => say(
            StatusCode::FORBIDDEN,
            format!("{label} did not let you in: you stopped there, or you are not assigned to this application. Ask your IT."),
        ),
        SignInError::Denied { .. } | SignInError::Code(_) | SignInError::Token(_) => say(
            StatusCode::FORBIDDEN,
            format!(
                "What {label} answered was not accepted, so you are not signed in. Try again; if this stays, tell whoever \
                 runs Usher: the log says why."
            ),
        ),
        SignInError::Foreign(_) => say(
            StatusCode::BAD_REQUEST,
            "This sign-in was not begun in this browser, was begun anew in another tab, took too long, or was used before. \
             Sign in again."
                .to_owned(),
        ),
        SignInError::NoRole { .. } => no_role(label, error),
        SignInError::NoEmail { .. } => usher_console::notice(
            StatusCode::FORBIDDEN,
            "Your address is missing",
            &format!("{label} knows you and says no e-mail address of yours. Your orders are found by it."),
            "Ask your IT to have your e-mail address handed to Usher when you sign in, then sign in again.",
        ),
    }
}

/// The person is known and has no access: what was looked for, what was found, whom to ask.
fn no_role(label: &str, error: &SignInError) -> Response {
    let SignInError::NoRole {
        name,
        claim,
        found,
        overflow,
        ..
    } = error
    else {
        return usher_console::notice(StatusCode::FORBIDDEN, "No access", "", "");
    };
    let looked_for = match (claim, found) {
        (None, _) => String::new(),
        (Some(claim), _) if *overflow => format!(
            " You are in so many groups that {label} left them out: the claim '{claim}' has to be limited to groups that are \
             assigned to Usher, or roles of the application used instead."
        ),
        (Some(claim), None) => {
            format!(" It said nothing about '{claim}', where Usher looks for what you may do.")
        }
        (Some(claim), Some(values)) if values.is_empty() => {
            format!(" The claim '{claim}', where Usher looks for what you may do, holds no value.")
        }
        (Some(claim), Some(values)) => {
            format!(
                " The claim '{claim}' says: {}. None of these is known to Usher.",
                values.join(", ")
            )
        }
    };
    usher_console::notice(
        StatusCode::FORBIDDEN,
        "You have no access to Usher",
        &format!("{label} knows you as {name}.{looked_for}"),
        "Ask your IT to give you access to Usher, then sign in again. What they change counts from your next sign-in on.",
    )
}
