//! One test for each promise; the names are the promises.
//!
//! [`contract_tests!`](crate::contract_tests) makes a test of each. To try a single one, call it: it answers what it
//! found.

mod absence;
mod calls;
mod deltas;
mod description;
mod groups;
mod lists;
mod memory;
mod people;
mod person;
mod random;
mod reads;
mod repeats;
mod secrets;

pub use absence::*;
pub use calls::*;
pub use deltas::*;
pub use description::*;
pub use groups::*;
pub use lists::*;
pub use memory::*;
pub use people::*;
pub use person::*;
pub use random::*;
pub use reads::*;
pub use repeats::*;
pub use secrets::*;

use usher_core::AdapterDescription;

use crate::company::Company;
use crate::{Broken, Outcome, Provider, Shape, Verdict};

/// Hands the name of every promise to a macro, behind what that macro is given itself.
#[doc(hidden)]
#[macro_export]
macro_rules! __each_promise {
    ($provider:ty, $($callback:tt)+) => {
        $($callback)+! { $provider;
            describe_and_push_profile_give_the_same_answer_every_time
            each_permission_is_in_the_report_once
            a_check_changes_nothing_at_the_provider
            a_push_only_adapter_reports_its_guidance_and_no_permission
            without_pull_reads_and_lists_are_unsupported
            each_group_is_listed_once_whatever_the_page_size
            at_most_the_limit_of_groups_is_listed
            only_groups_whose_name_begins_so_are_listed
            an_unknown_id_lists_no_group
            a_user_is_reported_before_it_is_named_as_a_member
            without_a_checkpoint_each_group_is_whole_before_the_next_begins
            each_member_is_reported_once_whatever_the_page_size
            completeness_is_reported_after_all_members
            a_read_changes_nothing_at_the_provider
            all_groups_are_read_when_none_is_named
            more_groups_than_a_read_may_name_are_refused
            what_could_not_be_seen_is_never_gone
            what_could_not_be_seen_of_a_delta_is_never_gone
            what_was_unknown_is_known_after_the_next_read
            a_group_that_may_not_be_read_is_unknown_and_the_next_is_read
            a_group_that_nobody_knows_is_unknown
            a_failed_read_may_be_repeated_from_the_same_checkpoint
            a_read_stops_when_its_sink_refuses
            a_read_that_was_stopped_anywhere_may_be_repeated
            a_change_that_is_reported_twice_is_the_same_change
            with_a_checkpoint_only_what_changed_is_reported
            deltas_lead_to_the_same_as_a_complete_read
            a_checkpoint_of_other_groups_reads_the_new_ones_completely
            a_checkpoint_that_is_too_old_is_expired
            a_checkpoint_that_is_not_understood_is_expired
            no_more_than_one_page_is_held
            a_person_is_reported_with_each_group_asked_about
            what_could_not_be_seen_of_a_person_is_never_gone
            guests_are_marked_as_guests
            a_disabled_user_is_inactive_and_comes_back
            a_deleted_user_is_gone_and_an_undeleted_one_comes_back
            a_renamed_user_is_the_same_user
            a_user_is_described_as_a_scim_resource
            a_renamed_group_is_the_same_group
            a_deleted_group_is_never_an_empty_group
            members_of_groups_inside_groups_count_where_they_are_wanted
            an_assignment_is_reported_as_it_is
            a_call_with_a_wrong_secret_is_refused
            a_call_reads_nothing
            no_secret_is_shown
            no_faults_in_any_order_lose_a_member
        }
    };
}

/// Makes one test of each promise, for the [`Provider`] that it is given. The tests land in the module
/// that the macro stands in.
#[macro_export]
macro_rules! contract_tests {
    ($provider:ty) => {
        $crate::__each_promise!($provider, $crate::__tests);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    ($provider:ty; $($promise:ident)*) => {
        $(
            #[test]
            fn $promise() {
                $crate::run(stringify!($promise), $crate::promises::$promise::<$provider>());
            }
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __broken {
    ($provider:ty; $($promise:ident)*) => {{
        let mut broken = Vec::new();
        $(
            if let Err(how) = $promise::<$provider>().await {
                broken.push((stringify!($promise), how));
            }
        )*
        broken
    }};
}

/// Tries every promise one after the other; those that are broken, and how. For a suite that tests an adapter which is
/// meant to break some.
pub async fn broken<P: Provider>() -> Vec<(&'static str, Broken)> {
    crate::__each_promise!(P, crate::__broken)
}

const KEPT: Outcome = Ok(Verdict::Kept);

const fn excluded(why: &'static str) -> Outcome {
    Ok(Verdict::Excluded(why))
}

/// The usual company at a provider with small pages.
async fn company<P: Provider>() -> (Company, P) {
    company_in_pages_of(2).await
}

async fn company_in_pages_of<P: Provider>(page_size: usize) -> (Company, P) {
    let company = Company::new(P::IDS);
    let provider = P::start(company.directory.clone(), Shape::pages_of(page_size)).await;
    (company, provider)
}

/// What the adapter says of itself.
fn description<P: Provider>(provider: &P) -> AdapterDescription {
    provider.adapter().describe()
}
