//! What an adapter could not see is unknown and never gone, whatever goes wrong with whichever request.

use usher_core::{DirectoryChange, UnknownScope};
use usher_fakes::{Directory, Fault};

use super::{KEPT, company};
use crate::company::direct;
use crate::promise::ensure;
use crate::trouble::{Trouble, noticeable, tells_lies};
use crate::{Outcome, Provider, Read, Reader};

/// How many requests in a row go wrong: one, or all that a client without patience makes.
const LENGTHS: [u32; 2] = [1, 12];

/// Every fault, at every request of a complete read: nobody is lost who is still there, and complete reads without
/// faults then show what the directory has.
#[expect(
    clippy::print_stdout,
    reason = "faults that are left out are named where the result is shown"
)]
pub async fn what_could_not_be_seen_is_never_gone<P: Provider>() -> Outcome {
    for (fault, why) in P::UNNOTICEABLE {
        println!("left out: {fault:?}: {why}");
    }
    let (company, provider) = company::<P>().await;
    let mut reader = Reader::new(&provider, &company.directory, company.wanted());
    reader.settle().await?;
    company.change();
    for fault in noticeable::<P>() {
        for length in LENGTHS {
            for number in 0.. {
                let mut reader = reader.clone();
                let believed = reader.believed();
                let when =
                    format!("after a complete read with {length} × {fault:?} from request {number} on");
                let trouble = Trouble::begin(&provider, number, length, fault)?;
                reader.meet(fault);
                let read = reader.full().await?;
                let reached = trouble.end();
                reader.lost_nobody(&believed, &when)?;
                if !reached {
                    if fault != Fault::NoAnswer {
                        read.succeeded()?;
                    }
                    break;
                }
                reader.settle().await?;
                reader.equals_directory(&format!("{when}, and complete reads without faults"))?;
            }
        }
    }
    KEPT
}

/// The same for a read from a checkpoint.
pub async fn what_could_not_be_seen_of_a_delta_is_never_gone<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let mut reader = Reader::new(&provider, &company.directory, company.wanted());
    reader.settle().await?;
    company.change();
    for fault in noticeable::<P>() {
        for length in LENGTHS {
            for number in 0.. {
                let mut reader = reader.clone();
                let believed = reader.believed();
                let when = format!("after a delta with {length} × {fault:?} from request {number} on");
                let trouble = Trouble::begin(&provider, number, length, fault)?;
                reader.meet(fault);
                reader.next().await?;
                let reached = trouble.end();
                reader.lost_nobody(&believed, &when)?;
                if !reached {
                    break;
                }
                reader.settle().await?;
                reader.equals_directory(&format!("{when}, and complete reads without faults"))?;
            }
        }
    }
    KEPT
}

/// A read that could not see everything and did not fail leaves a checkpoint from which the next one makes up for it.
/// Faults by which a provider says that nothing is wrong are not among these.
pub async fn what_was_unknown_is_known_after_the_next_read<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let mut reader = Reader::new(&provider, &company.directory, company.wanted());
    reader.settle().await?;
    company.change();
    for fault in Fault::ALL.into_iter().filter(|fault| !tells_lies(*fault)) {
        for number in 0.. {
            let mut reader = reader.clone();
            let trouble = Trouble::begin(&provider, number, 1, fault)?;
            reader.meet(fault);
            reader.next().await?;
            let reached = trouble.end();
            reader.catch_up().await?;
            reader.equals_directory(&format!(
                "after a delta with {fault:?} at request {number}, and the next read without"
            ))?;
            if !reached {
                break;
            }
        }
    }
    KEPT
}

/// A refusal of one group is about that group: the others are read.
pub async fn a_group_that_may_not_be_read_is_unknown_and_the_next_is_read<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let mut reader = Reader::new(&provider, &company.directory, company.wanted());
    reader.settle().await?;
    let believed = reader.believed();
    provider.faults().always(&company.board, Fault::Forbidden);
    let read = reader.full().await?;
    provider.faults().clear();
    let read = read.succeeded()?;
    ensure!(
        is_unknown(&read, &company.board),
        "group {} may not be read and was not reported as unknown",
        company.board
    );
    ensure!(
        !is_unknown(&read, &company.audit),
        "group {} may be read and was reported as unknown",
        company.audit
    );
    reader.lost_nobody(&believed, "after a read in which one group was refused")?;
    KEPT
}

/// A group that the provider does not know is not a group without members.
pub async fn a_group_that_nobody_knows_is_unknown<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let elsewhere = Directory::new(P::IDS);
    for name in 0..50 {
        elsewhere.add_user(&format!("user{name}@contoso.example"));
    }
    let unknown = elsewhere.add_group("Not in this directory");
    let wanted = vec![direct(&unknown), direct(&company.audit)];
    let mut reader = Reader::new(&provider, &company.directory, wanted);
    let read = reader.full().await?.succeeded()?;
    ensure!(
        is_unknown(&read, &unknown),
        "group {unknown} is not there and was not reported as unknown"
    );
    reader.equals_directory("after a read in which one group is not there")?;
    KEPT
}

fn is_unknown(read: &Read, group: &str) -> bool {
    read.changes().any(|change| {
        matches!(
            change,
            DirectoryChange::Unknown { scope: UnknownScope::Group(id), .. } if id.as_str() == group
        )
    })
}
