//! Calls by which the provider says that something changed.

use usher_core::{AdapterError, ErrorKind, Notification};

use super::{KEPT, company, description, excluded};
use crate::promise::ensure;
use crate::{Broken, Outcome, Provider};

/// A call whose secret is wrong is refused as unauthorised, one that is not understood as against the protocol. An adapter
/// that takes no calls says so.
pub async fn a_call_with_a_wrong_secret_is_refused<P: Provider>() -> Outcome {
    let (_company, provider) = company::<P>().await;
    let adapter = provider.adapter();
    let kind = |answer: Result<_, AdapterError>| answer.map(|_| ()).map_err(|error| error.kind());
    if !description(&provider).capabilities.notifications {
        let call = Notification {
            headers: Vec::new(),
            query: Vec::new(),
            body: b"{}".to_vec(),
        };
        let answer = kind(adapter.notification(call).await);
        ensure!(
            answer == Err(ErrorKind::Unsupported),
            "the adapter takes no calls, and answered {answer:?}"
        );
        return excluded("the adapter takes no calls");
    }
    let calls = calls(&provider)?;
    let genuine = kind(adapter.notification(calls.genuine).await);
    ensure!(genuine.is_ok(), "a genuine call was answered with {genuine:?}");
    let forged = kind(adapter.notification(calls.forged).await);
    ensure!(
        forged == Err(ErrorKind::Unauthorised),
        "a call with a wrong secret was answered with {forged:?}"
    );
    let garbled = kind(adapter.notification(calls.garbled).await);
    ensure!(
        garbled == Err(ErrorKind::Protocol),
        "a call that nobody understands was answered with {garbled:?}"
    );
    KEPT
}

/// A call is a hint: nothing is read because of it, and the same call gets the same answer again.
pub async fn a_call_reads_nothing<P: Provider>() -> Outcome {
    let (_company, provider) = company::<P>().await;
    if !description(&provider).capabilities.notifications {
        return excluded("the adapter takes no calls");
    }
    let adapter = provider.adapter();
    let calls = calls(&provider)?;
    let mut answers = Vec::new();
    for _ in 0..2 {
        let answer = adapter.notification(calls.genuine.clone()).await;
        answers.push(answer.map_err(|error| Broken::failed("notification", &error))?);
    }
    ensure!(
        answers[0] == answers[1],
        "the same call was answered with {:?} and then {:?}",
        answers[0],
        answers[1]
    );
    ensure!(
        provider.seen().is_empty(),
        "the provider was asked because of a call"
    );
    KEPT
}

fn calls<P: Provider>(provider: &P) -> Result<crate::Calls, Broken> {
    provider.calls().ok_or_else(|| {
        Broken::new("the capabilities have notifications, and Provider::calls has none to try them with")
    })
}
