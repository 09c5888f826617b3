//! The contract of the provisioning trait, at service providers of several habits.

use std::sync::Arc;

use serde_json::json;
use usher_core::ProvisioningAdapter;
use usher_fakes::scim::{Discovery, Filtering, Habits, MembersShown, TOKEN};
use usher_fakes::{Directory, Faults, Guest, IdStyle, Seen};
use usher_testkit::{Provider, Shape};

use crate::world::{World, adapter};

macro_rules! provider {
    ($name:ident, $doc:literal, $habits:expr $(, $unnoticeable:expr)?) => {
        #[doc = $doc]
        struct $name(World);

        impl Provider for $name {
            const IDS: IdStyle = IdStyle::Opaque;
            const GUESTS: &'static [Guest] = &[Guest::External, Guest::ExternalMember, Guest::Internal];
            const PAGED_MEMBERS: bool = false;
            $(const UNNOTICEABLE: &'static [(usher_fakes::Fault, &'static str)] = $unnoticeable;)?

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
                Arc::new(self.0.adapter(&json!({})))
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
    Habits::default()
);
provider!(
    ByCursor,
    "Paged by cursor alone.",
    Habits {
        cursor: true,
        index: false,
        ..Habits::default()
    }
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
    }
);
provider!(
    InUsers,
    "Members stand in the users' groups alone.",
    Habits {
        members: MembersShown::LeftOut,
        ..Habits::default()
    }
);

mod by_index {
    usher_testkit::contract_tests!(super::ByIndex);
}

mod by_cursor {
    usher_testkit::contract_tests!(super::ByCursor);
}

mod bare {
    usher_testkit::contract_tests!(super::Bare);
}

mod in_users {
    usher_testkit::contract_tests!(super::InUsers);
}
