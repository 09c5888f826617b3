//! Adapters that each break a promise: the suite has to say which.

use usher_testkit::promises as promise;

use crate::provider::Tiny;

/// Makes a defect and the test that the suite finds it, in the promises named.
macro_rules! defects {
    ($($number:literal $defect:ident $test:ident: $($promise:ident),+;)*) => {
        $(
            pub(crate) const $defect: u32 = $number;

            #[tokio::test]
            async fn $test() {
                $(
                    let outcome = promise::$promise::<Tiny<$number>>().await;
                    assert!(outcome.is_err(), "{} is kept: {outcome:?}", stringify!($promise));
                )+
            }
        )*
    };
}

defects! {
    1 COMPLETES_EARLY completes_early: completeness_is_reported_after_all_members,
        without_a_checkpoint_each_group_is_whole_before_the_next_begins;
    2 REPORTS_TWICE reports_twice: each_member_is_reported_once_whatever_the_page_size;
    3 TAKES_FORBIDDEN_FOR_GONE takes_forbidden_for_gone: what_could_not_be_seen_is_never_gone,
        a_group_that_may_not_be_read_is_unknown_and_the_next_is_read, no_faults_in_any_order_lose_a_member;
    4 TAKES_UNKNOWN_FOR_EMPTY takes_unknown_for_empty: a_deleted_group_is_never_an_empty_group,
        a_group_that_nobody_knows_is_unknown;
    5 DROPS_A_PAGE drops_a_page: what_could_not_be_seen_is_never_gone, no_faults_in_any_order_lose_a_member;
    6 BELIEVES_LAST_PAGES believes_last_pages: what_could_not_be_seen_is_never_gone;
    7 LEAKS_ITS_SECRET leaks_its_secret: no_secret_is_shown;
    8 HOARDS hoards: no_more_than_one_page_is_held;
    9 NAMES_BEFORE_REPORTING names_before_reporting: a_user_is_reported_before_it_is_named_as_a_member;
    10 IGNORES_ITS_SINK ignores_its_sink: a_read_stops_when_its_sink_refuses,
        a_read_that_was_stopped_anywhere_may_be_repeated;
    11 FORGETS_WHAT_IT_MISSED forgets_what_it_missed: what_was_unknown_is_known_after_the_next_read;
    12 BELIEVES_THE_LOG believes_the_log: what_could_not_be_seen_of_a_delta_is_never_gone;
    13 READS_ALL_AGAIN reads_all_again: with_a_checkpoint_only_what_changed_is_reported;
    14 HIDES_EXPIRY hides_expiry: a_checkpoint_that_is_too_old_is_expired;
    15 KNOWS_PEOPLE_BY_NAME knows_people_by_name: a_renamed_user_is_the_same_user;
    16 OVERLOOKS_GUESTS overlooks_guests: guests_are_marked_as_guests;
    17 OVERLOOKS_DISABLED overlooks_disabled: a_disabled_user_is_inactive_and_comes_back;
    18 LISTS_TWICE lists_twice: each_group_is_listed_once_whatever_the_page_size;
    19 LISTS_MORE_THAN_ASKED lists_more_than_asked: at_most_the_limit_of_groups_is_listed;
    20 KEEPS_A_MARK_OF_A_PERSON keeps_a_mark_of_a_person: a_person_is_reported_with_each_group_asked_about;
    21 TAKES_FORBIDDEN_FOR_LEFT takes_forbidden_for_left: what_could_not_be_seen_of_a_person_is_never_gone;
    22 WRITES_TO_CHECK writes_to_check: a_check_changes_nothing_at_the_provider;
    23 LEAVES_OUT_A_PERMISSION leaves_out_a_permission: each_permission_is_in_the_report_once;
    25 REMEMBERS remembers: a_failed_read_may_be_repeated_from_the_same_checkpoint,
        a_read_that_was_stopped_anywhere_may_be_repeated;
    24 TAKES_ANY_CALL takes_any_call: a_call_with_a_wrong_secret_is_refused;
}
