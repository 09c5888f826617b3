//! Reads that are repeated: after a failure, after the sink refused, and for no reason.

use usher_core::{DirectoryChange, ErrorKind};
use usher_fakes::Fault;

use super::{KEPT, company};
use crate::promise::ensure;
use crate::trouble::{Trouble, noticeable, tells_lies};
use crate::{Outcome, Provider, Read, Reader};

/// A read that failed changes nothing for the next one from the same checkpoint, nor does it keep it from working.
pub async fn a_failed_read_may_be_repeated_from_the_same_checkpoint<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let mut reader = Reader::new(&provider, &company.directory, company.wanted());
    reader.settle().await?;
    company.change();
    for fault in noticeable::<P>().into_iter().filter(|fault| !tells_lies(*fault)) {
        for number in 0.. {
            let mut reader = reader.clone();
            reader.keep_adapter();
            let checkpoint = reader.checkpoint().cloned();
            let mut failed = false;
            let mut reached = false;
            // Twice at the same place, as an outage does.
            for _ in 0..2 {
                let trouble = Trouble::begin(&provider, number, 1, fault)?;
                reader.meet(fault);
                let read = reader.next().await?;
                reached |= trouble.end();
                if read.result.is_ok() {
                    break;
                }
                failed = true;
                ensure!(
                    reader.checkpoint() == checkpoint.as_ref(),
                    "a failed read left another checkpoint"
                );
            }
            if failed {
                reader.catch_up().await?;
                reader.equals_directory(&format!(
                    "after a read that failed by {fault:?} at request {number} and was repeated"
                ))?;
            }
            if !reached {
                break;
            }
        }
    }
    KEPT
}

/// When the sink refuses a page, nothing more is sent and its error is handed on.
pub async fn a_read_stops_when_its_sink_refuses<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    for page in 0.. {
        let mut reader = Reader::new(&provider, &company.directory, company.wanted());
        let read = reader.next_refusing(page).await?;
        if !read.refused {
            break;
        }
        ensure!(
            read.after_refusal == 0,
            "{} pages were sent after the sink had refused page {page}",
            read.after_refusal
        );
        let handed_on = matches!(&read.result, Err(error) if error.kind() == ErrorKind::Unexpected && error.to_string().contains("the disk is full"));
        ensure!(
            handed_on,
            "the sink refused page {page}, and the read ended as {:?}",
            read.result
        );
    }
    KEPT
}

/// Whichever page the sink refuses, of a complete read or of a delta: nobody is lost, and reading again from the same
/// checkpoint leads to what the directory has.
pub async fn a_read_that_was_stopped_anywhere_may_be_repeated<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let fresh = Reader::new(&provider, &company.directory, company.wanted());
    let mut settled = fresh.clone();
    settled.settle().await?;
    company.change();
    for reader in [settled, fresh] {
        for page in 0.. {
            let mut reader = reader.clone();
            reader.keep_adapter();
            let believed = reader.believed();
            let refused = reader.next_refusing(page).await?.refused;
            let when = format!("after a read whose page {page} the sink refused");
            reader.lost_nobody(&believed, &when)?;
            if !refused {
                break;
            }
            reader.catch_up().await?;
            reader.equals_directory(&format!("{when} and that was repeated"))?;
        }
    }
    KEPT
}

/// Reading twice reports the same twice, and believing it twice changes nothing; also when the provider itself repeats
/// a page, or changes of the round before.
pub async fn a_change_that_is_reported_twice_is_the_same_change<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let mut reader = Reader::new(&provider, &company.directory, company.wanted());
    let first = reader.full().await?.succeeded()?;
    let second = reader.full().await?.succeeded()?;
    let (first, second) = (sorted(&first), sorted(&second));
    ensure!(
        first == second,
        "nothing changed, and a complete read reported\n{first:#?}\nand then\n{second:#?}"
    );
    let start = reader.clone();
    company.change();
    for _ in 0..3 {
        let mut again = start.clone();
        again.catch_up().await?;
        *reader.model_mut() = again.model().clone();
        reader.equals_directory("after a delta that was read again")?;
    }
    // Somebody left in the round that is repeated, and is back by now.
    reader.catch_up().await?;
    company
        .directory
        .remove_member(&company.board, &company.people[1]);
    reader.catch_up().await?;
    company.directory.add_member(&company.board, &company.people[1]);
    for fault in [Fault::RepeatedPage, Fault::Replay] {
        if !noticeable::<P>().contains(&fault) {
            continue;
        }
        for number in 0.. {
            let mut reader = reader.clone();
            let trouble = Trouble::begin(&provider, number, 1, fault)?;
            let read = reader.next().await?;
            let reached = trouble.end();
            if read.result.is_err() {
                reader.catch_up().await?;
            }
            reader.equals_directory(&format!("after a delta with {fault:?} at request {number}"))?;
            if !reached {
                break;
            }
        }
    }
    KEPT
}

fn sorted(read: &Read) -> Vec<String> {
    let facts = read
        .changes()
        .filter(|change| !matches!(change, DirectoryChange::GroupMembersComplete { .. }));
    let mut facts: Vec<_> = facts.map(|change| format!("{change:?}")).collect();
    facts.sort();
    facts
}
