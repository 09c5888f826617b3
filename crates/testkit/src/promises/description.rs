//! What an adapter says of itself, and what it finds out about its permissions.

use std::collections::BTreeSet;

use usher_core::{AdapterError, CheckReport, ErrorKind, GroupQuery, PermissionState, ReadRequest};
use usher_fakes::Fault;

use super::{KEPT, company, excluded};
use crate::company::direct;
use crate::promise::ensure;
use crate::trouble::Trouble;
use crate::{Broken, Outcome, Provider, Recorder};

/// `describe` and `push_profile` answer without asking the provider, and always the same.
pub async fn describe_and_push_profile_give_the_same_answer_every_time<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let adapter = provider.adapter();
    let (described, profile) = (adapter.describe(), adapter.push_profile());
    ensure!(!described.kind.is_empty(), "the kind is empty");
    ensure!(
        described.modes.iter().any(|mode| mode.pulls()),
        "an adapter with credentials does not offer to pull: {:?}",
        described.modes
    );
    ensure!(
        provider.seen().is_empty(),
        "the provider was asked for a description"
    );
    // Whatever it may have learnt, it says the same.
    let mut sink = Recorder::new(provider.faults().clone());
    let request = ReadRequest::of_groups(vec![direct(&company.board)]);
    let read = adapter.read(request, &mut sink).await;
    ensure!(read.is_ok(), "read failed though nothing was wrong: {read:?}");
    for adapter in [&adapter, &provider.adapter()] {
        ensure!(
            adapter.describe() == described,
            "describe answered {described:?} and then {:?}",
            adapter.describe()
        );
        ensure!(
            adapter.push_profile() == profile,
            "push_profile answered {profile:?} and then {:?}",
            adapter.push_profile()
        );
    }
    KEPT
}

/// A check reports each permission of the capabilities once, whether anything is wrong or not, and finds that all work
/// where they do.
pub async fn each_permission_is_in_the_report_once<P: Provider>() -> Outcome {
    let (_company, provider) = company::<P>().await;
    let report = check(&provider)
        .await
        .map_err(|error| Broken::failed("check", &error))?;
    once(&provider, &report)?;
    for found in &report.permissions {
        ensure!(
            found.state == PermissionState::Works,
            "nothing is wrong, and permission {} is reported as {:?}",
            found.permission.name,
            found.state
        );
    }
    for number in 0.. {
        let trouble = Trouble::begin(&provider, number, 1, Fault::Forbidden)?;
        let report = check(&provider).await;
        let reached = trouble.end();
        if let Ok(report) = report {
            once(&provider, &report)?;
        }
        if !reached {
            break;
        }
    }
    KEPT
}

/// A check only asks.
pub async fn a_check_changes_nothing_at_the_provider<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let before = company.directory.sequence();
    check(&provider)
        .await
        .map_err(|error| Broken::failed("check", &error))?;
    only_asked(&provider)?;
    ensure!(
        company.directory.sequence() == before,
        "the directory was changed"
    );
    KEPT
}

/// Without credentials a check has guidance, and no permission that could be missing.
pub async fn a_push_only_adapter_reports_its_guidance_and_no_permission<P: Provider>() -> Outcome {
    let (_company, provider) = company::<P>().await;
    let Some(adapter) = provider.adapter_without_pull() else {
        return excluded("this kind is never without credentials");
    };
    let report = adapter
        .check()
        .await
        .map_err(|error| Broken::failed("check", &error))?;
    ensure!(!report.guidance.is_empty(), "there is no guidance");
    ensure!(
        report.permissions.is_empty(),
        "nothing can be pulled, and permissions are reported: {:?}",
        report.permissions
    );
    ensure!(
        provider.seen().is_empty(),
        "the provider was asked without credentials"
    );
    KEPT
}

/// Without credentials there is nothing to read or list, and the adapter says so.
pub async fn without_pull_reads_and_lists_are_unsupported<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let Some(adapter) = provider.adapter_without_pull() else {
        return excluded("this kind is never without credentials");
    };
    ensure!(
        !adapter.describe().modes.iter().any(|mode| mode.pulls()),
        "an adapter without credentials offers to pull"
    );
    let mut sink = Recorder::new(provider.faults().clone());
    let request = ReadRequest::of_groups(vec![direct(&company.board)]);
    let read = adapter.read(request, &mut sink).await.map(|_| ());
    let query = GroupQuery {
        limit: 10,
        ..GroupQuery::default()
    };
    let list = adapter.list_groups(query).await.map(|_| ());
    for (call, answer) in [("read", read), ("list_groups", list)] {
        let kind = answer.as_ref().err().map(AdapterError::kind);
        ensure!(
            kind == Some(ErrorKind::Unsupported),
            "{call} answered {answer:?} and not that it is unsupported"
        );
    }
    ensure!(sink.pages().is_empty(), "changes were reported all the same");
    ensure!(
        provider.seen().is_empty(),
        "the provider was asked without credentials"
    );
    KEPT
}

/// Complains about a request that may have changed something.
pub(super) fn only_asked<P: Provider>(provider: &P) -> Result<(), Broken> {
    let seen = provider.seen();
    ensure!(!seen.is_empty(), "the provider was not asked at all");
    for request in seen {
        ensure!(
            P::only_asks(&request),
            "{} {} may change something at the provider",
            request.method,
            request.path
        );
    }
    Ok(())
}

async fn check<P: Provider>(provider: &P) -> Result<CheckReport, AdapterError> {
    provider.adapter().check().await
}

fn once<P: Provider>(provider: &P, report: &CheckReport) -> Result<(), Broken> {
    let needed = super::description(provider).capabilities.permissions;
    let names: Vec<_> = report
        .permissions
        .iter()
        .map(|found| &found.permission.name)
        .collect();
    let unique: BTreeSet<_> = names.iter().collect();
    ensure!(
        unique.len() == names.len(),
        "a permission is reported twice: {names:?}"
    );
    let expected: BTreeSet<_> = needed.iter().map(|permission| &permission.name).collect();
    let expected: BTreeSet<_> = expected.iter().collect();
    ensure!(
        unique == expected,
        "the capabilities need {expected:?} and the report is about {names:?}"
    );
    Ok(())
}
