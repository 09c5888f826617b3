//! Reads of one person.

use usher_core::{Capabilities, DirectoryChange, ErrorKind, ReadRequest, ReadScope, UnknownScope};
use usher_fakes::Fault;

use super::{KEPT, company, description, excluded};
use crate::company::{Company, none_missing, truth, user_id};
use crate::order::group_of;
use crate::promise::ensure;
use crate::reader::{read_by, read_once};
use crate::trouble::{Trouble, noticeable};
use crate::{Broken, Model, Outcome, Provider, Read};

/// A read of a person reports the person, and for each group asked about whether it is in it now or that this is unknown:
/// each once, never completeness, and no checkpoint. Without the capability it is unsupported.
pub async fn a_person_is_reported_with_each_group_asked_about<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let capabilities = description(&provider).capabilities;
    let request = person(&company, &company.people[0]);
    if !capabilities.person_reads {
        let read = read_once(&provider, request, None).await?;
        let kind = read.result.as_ref().err().map(usher_core::AdapterError::kind);
        ensure!(
            kind == Some(ErrorKind::Unsupported),
            "reads of a person are not offered, and one ended as {:?}",
            read.result
        );
        return excluded("the adapter has no reads of a person");
    }
    company.directory.soft_delete_user(&company.people[4]);
    company.directory.delete_user(&company.people[1]);
    // In one group, disabled, in two groups, deleted softly, in no group wanted, deleted for good.
    for who in [0, 2, 3, 4, 8, 1] {
        let id = &company.people[who];
        let read = read_once(&provider, person(&company, id), None)
            .await?
            .succeeded()?;
        shape(&read, &company, id)?;
        let mut model = Model::default();
        read.changes().for_each(|change| model.apply(change));
        for group in company.wanted() {
            let there = truth(&company.directory, &group, capabilities.disabled_users).unwrap_or_default();
            let told = model.members(group.id.as_str());
            ensure!(
                there.contains(&**id) == told.contains(&**id),
                "whether person {who} is in group {} is {} and was reported as {}",
                group.id,
                there.contains(&**id),
                told.contains(&**id)
            );
        }
    }
    KEPT
}

/// Every fault, at every request of such a read: nobody is lost who is still there.
pub async fn what_could_not_be_seen_of_a_person_is_never_gone<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let capabilities = description(&provider).capabilities;
    if !capabilities.person_reads {
        return excluded("the adapter has no reads of a person");
    }
    let id = &company.people[3];
    let model = known(&company, &capabilities, id, &provider).await?;
    for fault in noticeable::<P>() {
        for number in 0.. {
            let trouble = Trouble::begin(&provider, number, 1, fault)?;
            let adapter = match fault {
                Fault::NoAnswer => provider.hasty_adapter(),
                _ => provider.adapter(),
            };
            let read = read_by(&*adapter, &provider, person(&company, id), None).await?;
            let reached = trouble.end();
            let mut believed = model.clone();
            read.changes().for_each(|change| believed.apply(change));
            for group in company.wanted() {
                let what = format!(
                    "after a read of a person with {fault:?} at request {number}, group {} lost a member that it still has",
                    group.id
                );
                let group = group.id.as_str();
                none_missing(&what, &model.members(group), &believed.members(group))?;
            }
            if read.result.is_ok() {
                shape(&read, &company, id)?;
            }
            if !reached {
                break;
            }
        }
    }
    KEPT
}

/// What is believed of a person after a read without faults; it is in two groups.
async fn known<P: Provider>(
    company: &Company,
    capabilities: &Capabilities,
    id: &str,
    provider: &P,
) -> Result<Model, Broken> {
    let read = read_once(provider, person(company, id), None)
        .await?
        .succeeded()?;
    let mut model = Model::default();
    read.changes().for_each(|change| model.apply(change));
    let groups = company.wanted();
    let inside = groups.iter().filter(|group| {
        let there = truth(&company.directory, group, capabilities.disabled_users).unwrap_or_default();
        there.contains(id) && model.members(group.id.as_str()).contains(id)
    });
    let count = inside.count();
    ensure!(
        count == 2,
        "user {id} is in two groups and was reported in {count}"
    );
    Ok(model)
}

fn person(company: &Company, id: &str) -> ReadRequest {
    ReadRequest {
        scope: ReadScope::Person {
            user: user_id(id),
            groups: company.wanted(),
        },
        checkpoint: None,
    }
}

/// The user once, each group once, and nothing else.
fn shape(read: &Read, company: &Company, id: &str) -> Result<(), Broken> {
    let mut users = 0;
    for change in read.changes() {
        match change {
            DirectoryChange::UserUpserted(user) => {
                ensure!(user.id.as_str() == id, "user {} was reported as well", user.id);
                users += 1;
            }
            DirectoryChange::UserGone(user)
            | DirectoryChange::Unknown {
                scope: UnknownScope::User(user),
                ..
            } => {
                ensure!(user.as_str() == id, "user {user} was reported as well");
                users += 1;
            }
            DirectoryChange::MemberAdded { member, .. } | DirectoryChange::MemberRemoved { member, .. } => {
                ensure!(
                    member.as_str() == id,
                    "a membership of user {member} was reported as well"
                );
            }
            DirectoryChange::GroupMembersComplete { group, .. } => {
                return Err(Broken::new(format!(
                    "a read of a person reported group {group} as complete"
                )));
            }
            _ => {}
        }
    }
    ensure!(users == 1, "the person was reported {users} times");
    for group in company.wanted() {
        let about = read.changes().filter(|change| {
            let membership = !matches!(
                change,
                DirectoryChange::GroupUpserted(_) | DirectoryChange::ApplicationAssignment { .. }
            );
            membership && group_of(change) == Some(group.id.as_str())
        });
        let count = about.count();
        ensure!(
            count == 1,
            "whether the person is in group {} was reported {count} times",
            group.id
        );
    }
    let checkpoint = read
        .result
        .as_ref()
        .ok()
        .and_then(|outcome| outcome.checkpoint.as_ref());
    ensure!(
        checkpoint.is_none(),
        "a read of a person ended with the checkpoint {checkpoint:?}"
    );
    Ok(())
}
