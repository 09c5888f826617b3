//! Reads from a checkpoint.

use std::collections::BTreeSet;

use usher_core::{Checkpoint, DirectoryChange, ErrorKind};
use usher_fakes::Fault;

use super::{KEPT, company, company_in_pages_of, excluded};
use crate::company::direct;
use crate::promise::ensure;
use crate::trouble::Trouble;
use crate::{Outcome, Provider, Read, Reader};

/// Without a change nothing is reported of any group, and a change in one group reports nothing of the members of
/// another.
pub async fn with_a_checkpoint_only_what_changed_is_reported<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let mut reader = Reader::new(&provider, &company.directory, company.wanted());
    if !reader.capabilities().delta_reads {
        return excluded("the adapter has no delta reads");
    }
    reader.full().await?.succeeded()?;
    ensure!(
        reader.checkpoint().is_some(),
        "the adapter claims delta reads, and a complete read ended without a checkpoint"
    );
    // What a careful adapter reads again because it happened shortly before is out of the way then.
    for name in ["nora", "omar"] {
        company.noise(name);
        reader.next().await?.succeeded()?;
    }
    let read = reader.next().await?.succeeded()?;
    let groups = groups_with_members(&read);
    ensure!(
        groups.is_empty(),
        "nothing changed, and a delta reported members of {groups:?}"
    );
    company.noise("pia");
    company
        .directory
        .remove_member(&company.audit, &company.people[4]);
    let read = reader.next().await?.succeeded()?;
    let groups = groups_with_members(&read);
    ensure!(
        groups == BTreeSet::from([&*company.audit]),
        "only group {} changed, and a delta reported members of {groups:?}",
        company.audit
    );
    reader.equals_directory("after a delta")?;
    KEPT
}

/// Whatever changes, deltas lead to the same belief as a complete read: at every page size, change by change, and all at
/// once.
pub async fn deltas_lead_to_the_same_as_a_complete_read<P: Provider>() -> Outcome {
    for page_size in [1, 2, 100] {
        let (company, provider) = company_in_pages_of::<P>(page_size).await;
        let mut patient = Reader::new(&provider, &company.directory, company.wanted());
        patient.settle().await?;
        let mut eager = patient.clone();
        let (directory, people) = (&company.directory, &company.people);
        let steps: [(&str, &dyn Fn()); 8] = [
            ("somebody came", &|| {
                directory.add_member(&company.board, &people[8]);
            }),
            ("somebody left", &|| {
                directory.remove_member(&company.board, &people[0]);
            }),
            ("somebody left and came back", &|| {
                directory.remove_member(&company.audit, &people[5]);
                directory.add_member(&company.audit, &people[5]);
            }),
            ("an empty group was filled", &|| {
                directory.add_member(&company.empty, &people[1]);
            }),
            ("somebody was disabled", &|| directory.enable(&people[3], false)),
            ("a group was renamed", &|| {
                directory.rename_group(&company.audit, "Auditors");
            }),
            ("somebody was deleted", &|| directory.delete_user(&people[1])),
            ("everything changed", &|| company.change()),
        ];
        for (what, step) in steps {
            step();
            eager.catch_up().await?;
            // A group that reads empty without a count is settled by the next complete read, which is not a delta's matter.
            if !eager.capabilities().delta_reads {
                eager.settle().await?;
            }
            eager.equals_directory(&format!("with pages of {page_size}, after {what}"))?;
        }
        patient.catch_up().await?;
        if !patient.capabilities().delta_reads {
            patient.settle().await?;
        }
        patient.equals_directory(&format!(
            "with pages of {page_size}, after one delta for everything"
        ))?;
    }
    KEPT
}

/// A checkpoint that was made for other groups is coped with: groups that are new to it are read completely.
pub async fn a_checkpoint_of_other_groups_reads_the_new_ones_completely<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let (board, audit) = (direct(&company.board), direct(&company.audit));
    let mut reader = Reader::new(&provider, &company.directory, vec![board.clone()]);
    reader.full().await?.succeeded()?;
    company.change();
    reader.want(vec![board.clone(), audit.clone()]);
    reader.catch_up().await?;
    reader.equals_directory("after a group more was wanted")?;
    company
        .directory
        .remove_member(&company.board, &company.people[1]);
    reader.want(vec![audit]);
    reader.catch_up().await?;
    reader.equals_directory("after a group less was wanted")?;
    reader.want(vec![board]);
    reader.catch_up().await?;
    reader.equals_directory("after a group was wanted again that had changed meanwhile")?;
    KEPT
}

/// When the provider no longer knows what the checkpoint stands for, the adapter says that it has expired, or reads
/// completely at once. Nothing is lost either way.
pub async fn a_checkpoint_that_is_too_old_is_expired<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let mut reader = Reader::new(&provider, &company.directory, company.wanted());
    if !reader.capabilities().delta_reads {
        return excluded("the adapter has no delta reads");
    }
    reader.settle().await?;
    company.change();
    for number in 0.. {
        let mut reader = reader.clone();
        let believed = reader.believed();
        let trouble = Trouble::begin(&provider, number, 1, Fault::ExpiredCheckpoint)?;
        let read = reader.next().await?;
        let reached = trouble.end();
        let when = format!("after a delta whose token had expired at request {number}");
        if let Err(error) = &read.result {
            ensure!(
                error.kind() == ErrorKind::CheckpointExpired,
                "a token had expired at request {number}, and the read failed otherwise: {error}"
            );
        }
        reader.lost_nobody(&believed, &when)?;
        reader.catch_up().await?;
        reader.equals_directory(&when)?;
        if !reached {
            break;
        }
    }
    KEPT
}

/// A checkpoint of another version, or of another adapter, is expired as well.
pub async fn a_checkpoint_that_is_not_understood_is_expired<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let reader = Reader::new(&provider, &company.directory, company.wanted());
    if !reader.capabilities().delta_reads {
        return excluded("the adapter has no delta reads");
    }
    for text in ["", "not a checkpoint", "{\"v\":9999}", "[]"] {
        let mut reader = reader.clone();
        reader.resume(Checkpoint(text.into()));
        let read = reader.next().await?;
        let kind = read.result.as_ref().err().map(usher_core::AdapterError::kind);
        ensure!(
            kind == Some(ErrorKind::CheckpointExpired),
            "the checkpoint {text:?} was answered with {:?}",
            read.result
        );
        reader.catch_up().await?;
        reader.equals_directory("after a checkpoint that was not understood")?;
    }
    KEPT
}

fn groups_with_members(read: &Read) -> BTreeSet<&str> {
    let groups = read.changes().filter_map(|change| match change {
        DirectoryChange::MemberAdded { group, .. } | DirectoryChange::MemberRemoved { group, .. } => {
            Some(group.as_str())
        }
        _ => None,
    });
    groups.collect()
}
