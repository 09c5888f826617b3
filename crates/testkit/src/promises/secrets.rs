//! Credentials stay where they belong.

use std::error::Error;

use usher_core::{AdapterError, GroupQuery, ReadRequest};
use usher_fakes::Fault;

use super::{KEPT, company};
use crate::company::direct;
use crate::promise::ensure;
use crate::reader::read_by;
use crate::trouble::Trouble;
use crate::{Outcome, Provider};

/// No credential is in what an adapter shows of itself, in its errors, changes, checkpoints, lists and reports, or in the
/// address of a request.
pub async fn no_secret_is_shown<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let adapter = provider.adapter();
    let mut shown = Vec::new();
    let query = GroupQuery {
        limit: 10,
        ..GroupQuery::default()
    };
    for fault in [None].into_iter().chain(Fault::ALL.map(Some)) {
        let new_adapter = || match fault {
            Some(Fault::NoAnswer) => provider.hasty_adapter(),
            _ => provider.adapter(),
        };
        for number in 0..3 {
            let trouble = match fault {
                Some(fault) => Some(Trouble::begin(&provider, number, 4, fault)?),
                None => None,
            };
            let read = read_by(
                &*new_adapter(),
                &provider,
                ReadRequest::of_groups(vec![direct(&company.board)]),
                None,
            )
            .await?;
            shown.push(("a change", format!("{:?}", read.pages)));
            match read.result {
                Ok(outcome) => shown.push(("a checkpoint", format!("{outcome:?}"))),
                Err(error) => shown.push(("an error of read", told(&error))),
            }
            if let Some(trouble) = trouble {
                trouble.end();
            }
        }
        if let Some(fault) = fault {
            provider.faults().always("", fault);
        }
        match new_adapter().check().await {
            Ok(report) => shown.push(("a report", format!("{report:?}"))),
            Err(error) => shown.push(("an error of check", told(&error))),
        }
        match new_adapter().list_groups(query.clone()).await {
            Ok(groups) => shown.push(("a list", format!("{groups:?}"))),
            Err(error) => shown.push(("an error of list_groups", told(&error))),
        }
        provider.faults().clear();
    }
    // After it has asked for whatever token it needs.
    let listed = adapter.list_groups(query).await;
    ensure!(
        listed.is_ok(),
        "list_groups failed though nothing was wrong: {listed:?}"
    );
    shown.push(("the adapter", format!("{adapter:?} {adapter:#?}")));
    for seen in provider.seen() {
        shown.push((
            "the address of a request",
            format!("{}?{}", seen.path, seen.query),
        ));
    }
    let secrets = provider.secrets();
    ensure!(
        !secrets.is_empty(),
        "Provider::secrets names no secret to look for"
    );
    for secret in secrets {
        ensure!(
            secret.len() >= 8,
            "a secret of less than eight characters is found by chance"
        );
        for (what, text) in &shown {
            ensure!(!text.contains(&secret), "{what} shows a secret");
        }
    }
    KEPT
}

/// Everything that an error says, to people and to programmers, down to its roots.
fn told(error: &AdapterError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(" {error} {error:?}"));
        source = error.source();
    }
    text
}
