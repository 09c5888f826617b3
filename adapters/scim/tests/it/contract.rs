//! The contract of the provisioning trait, at service providers of several habits.

use std::sync::Arc;

use serde_json::json;
use usher_core::ProvisioningAdapter;
use usher_fakes::scim::{Discovery, Filtering, Habits, MembersShown, TOKEN};
use usher_fakes::{Directory, Fault, Faults, Guest, IdStyle, Seen};
use usher_testkit::{Provider, Shape};

use crate::world::{World, adapter};

macro_rules! provider {
    ($name:ident, $doc:literal, $habits:expr, $settings:tt $(, $unnoticeable:expr)?) => {
        #[doc = $doc]
        struct $name(World);

        impl Provider for $name {
            const IDS: IdStyle = IdStyle::Opaque;
            const GUESTS: &'static [Guest] = &[Guest::External, Guest::ExternalMember, Guest::Internal];
            const PAGED_MEMBERS: bool = false;
            $(const UNNOTICEABLE: &'static [(Fault, &'static str)] = $unnoticeable;)?

            async fn start(directory: Directory, shape: Shape) -> Self {
                let habits = Habits {
                    max_results: shape.page_size,
                    ..$habits
                };
                Self(World::new(directory, habits).await)
            }

            fn faults(&self) -> &Faults {
                &self.0.faults
            }

            fn seen(&self) -> Vec<Seen> {
                self.0.server.served().seen()
            }

            fn adapter(&self) -> Arc<dyn ProvisioningAdapter> {
                Arc::new(self.0.adapter(&json!($settings)))
            }

            fn adapter_without_pull(&self) -> Option<Arc<dyn ProvisioningAdapter>> {
                Some(Arc::new(adapter(json!({}))))
            }

            fn secrets(&self) -> Vec<String> {
                vec![TOKEN.into()]
            }
        }
    };
}

provider!(
    ByIndex,
    "All that the standard offers, paged by index.",
    Habits::default(),
    {}
);
provider!(
    ByCursor,
    "Paged by cursor alone.",
    Habits {
        cursor: true,
        index: false,
        ..Habits::default()
    },
    {}
);
provider!(
    Bare,
    "Announces nothing and filters nothing; members are bare values.",
    Habits {
        discovery: Discovery::Missing,
        filtering: Filtering::Refused,
        etag: false,
        last_modified: false,
        members: MembersShown::ValuesAlone,
        groups_on_users: false,
        ..Habits::default()
    },
    {"detect_changes": false},
    &[
        (Fault::LostPage, "a group that is twice shown without members is an empty one, as far as anybody can tell"),
        (Fault::EmptyPage, "likewise")
    ]
);
provider!(
    InUsers,
    "Members stand in the users' groups alone.",
    Habits {
        members: MembersShown::LeftOut,
        ..Habits::default()
    },
    {"members": "users"}
);

mod by_index {
    usher_testkit::contract_tests!(super::ByIndex);
}

mod by_cursor {
    usher_testkit::contract_tests!(super::ByCursor);
}

/// One test of each of these promises.
macro_rules! promises {
    ($provider:ty: $($promise:ident)*) => {
        $(
            #[test]
            fn $promise() {
                usher_testkit::run(stringify!($promise), usher_testkit::promises::$promise::<$provider>());
            }
        )*
    };
}

/// Those about what is read and what is never lost; the others do not depend on these habits.
macro_rules! promises_of_reads {
    ($provider:ty) => {
        promises! { $provider:
            each_group_is_listed_once_whatever_the_page_size
            only_groups_whose_name_begins_so_are_listed
            a_user_is_reported_before_it_is_named_as_a_member
            without_a_checkpoint_each_group_is_whole_before_the_next_begins
            each_member_is_reported_once_whatever_the_page_size
            completeness_is_reported_after_all_members
            all_groups_are_read_when_none_is_named
            what_could_not_be_seen_is_never_gone
            a_group_that_may_not_be_read_is_unknown_and_the_next_is_read
            a_group_that_nobody_knows_is_unknown
            deltas_lead_to_the_same_as_a_complete_read
            no_more_than_one_page_is_held
            a_person_is_reported_with_each_group_asked_about
            guests_are_marked_as_guests
            a_disabled_user_is_inactive_and_comes_back
            a_deleted_user_is_gone_and_an_undeleted_one_comes_back
            a_renamed_user_is_the_same_user
            a_renamed_group_is_the_same_group
            a_deleted_group_is_never_an_empty_group
            members_of_groups_inside_groups_count_where_they_are_wanted
        }
    };
}

mod bare {
    promises_of_reads!(super::Bare);
}

mod in_users {
    promises_of_reads!(super::InUsers);
}
