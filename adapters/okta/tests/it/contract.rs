//! The promises of the provisioning trait, with an API token and with a service application, and with every reading of
//! what Okta's documentation leaves open.

use std::sync::Arc;

use serde_json::{Value, json};
use usher_adapter_okta::{OktaAdapter, OktaConfig};
use usher_core::{Notification, ProvisioningAdapter};
use usher_fakes::okta::{Behaviour, Org, Rights};
use usher_fakes::{Directory, Fault, Faults, Guest, IdStyle, Seen};
use usher_testkit::{Calls, Provider, Shape};

use crate::world::{HOOK_SECRET, TOKEN, World, adapter, hurried_adapter};

/// An org as one of the modules below wants it.
trait Setting {
    /// How the org behaves.
    fn behave(behaviour: &mut Behaviour) {
        // The suite looks for people who are disabled.
        behaviour.deprovisioned_stay_members = true;
    }

    /// Whether the adapter has an API token, and not a service application.
    const API_TOKEN: bool = true;

    /// More settings of the adapter.
    fn settings() -> Value {
        json!({})
    }
}

struct Fake<S> {
    world: World,
    settings: Value,
    marker: std::marker::PhantomData<S>,
}

impl<S: Setting> Provider for Fake<S> {
    const IDS: IdStyle = IdStyle::Okta;
    const GUESTS: &'static [Guest] = &[Guest::External, Guest::ExternalMember, Guest::Internal];

    async fn start(directory: Directory, shape: Shape) -> Self {
        let world = World::of(directory).await;
        world.org.behave(|behaviour| {
            behaviour.page_size = shape.page_size;
            S::behave(behaviour);
        });
        world.take_app(Rights::all(), false);
        let mut settings = if S::API_TOKEN {
            world.with_token(&S::settings())
        } else {
            world.with_app(&S::settings())
        };
        settings["guest_user_types"] = json!(["Guest"]);
        Self {
            world,
            settings,
            marker: std::marker::PhantomData,
        }
    }

    fn faults(&self) -> &Faults {
        &self.world.faults
    }

    fn seen(&self) -> Vec<Seen> {
        self.world.served.seen()
    }

    fn adapter(&self) -> Arc<dyn ProvisioningAdapter> {
        Arc::new(if self.world.faults.holds(Fault::NoAnswer) {
            hurried_adapter(&self.settings)
        } else {
            adapter(&self.settings)
        })
    }

    fn adapter_without_pull(&self) -> Option<Arc<dyn ProvisioningAdapter>> {
        Some(Arc::new(
            OktaAdapter::new(&OktaConfig::default()).expect("no settings are needed"),
        ))
    }

    fn secrets(&self) -> Vec<String> {
        let key = self.world.key.serialize_pem();
        let lines = key.lines().filter(|line| !line.starts_with('-'));
        let mut secrets: Vec<String> = lines.map(str::to_owned).collect();
        secrets.extend([TOKEN.into(), HOOK_SECRET.into(), "eyJfake.access.token".into()]);
        secrets
    }

    fn calls(&self) -> Option<Calls> {
        let call = |secret: &str, body: Vec<u8>| Notification {
            headers: vec![("authorization".into(), secret.into())],
            query: Vec::new(),
            body,
        };
        let body = self.world.org.event_hook_body(0).to_string().into_bytes();
        Some(Calls {
            genuine: call(HOOK_SECRET, body.clone()),
            forged: call("another", body),
            garbled: call(HOOK_SECRET, b"{\"data\": 1}".to_vec()),
        })
    }
}

/// With an API token.
mod with_a_token {
    pub(super) struct Plain;

    impl super::Setting for Plain {}

    usher_testkit::contract_tests!(super::Fake<Plain>);
}

/// With a service application, the System Log and an event hook.
mod with_a_service_app {
    pub(super) struct Full;

    impl super::Setting for Full {
        const API_TOKEN: bool = false;

        fn settings() -> serde_json::Value {
            serde_json::json!({
                "system_log": true,
                "event_hook_secret": super::HOOK_SECRET,
            })
        }
    }

    usher_testkit::contract_tests!(super::Fake<Full>);
}

/// Makes tests of some promises.
macro_rules! promises {
    ($setting:ty: $($promise:ident)*) => {
        $(
            #[test]
            fn $promise() {
                let test = usher_testkit::promises::$promise::<super::Fake<$setting>>();
                usher_testkit::run(stringify!($promise), test);
            }
        )*
    };
}

/// With the other reading of everything that is open.
mod with_the_other_readings {
    use usher_fakes::okta::{Behaviour, Ungranted};

    struct Other;

    impl super::Setting for Other {
        fn behave(behaviour: &mut Behaviour) {
            behaviour.deprovisioned_stay_members = true;
            behaviour.one_group_has_stats = false;
            behaviour.members_touch_groups = true;
            behaviour.filter_takes_many_ids = false;
            behaviour.ungranted = Ungranted::Refused;
            behaviour.links_in_one_field = true;
        }
    }

    promises! { Other:
        each_permission_is_in_the_report_once
        each_group_is_listed_once_whatever_the_page_size
        each_member_is_reported_once_whatever_the_page_size
        without_a_checkpoint_each_group_is_whole_before_the_next_begins
        what_could_not_be_seen_is_never_gone
        what_could_not_be_seen_of_a_delta_is_never_gone
        with_a_checkpoint_only_what_changed_is_reported
        deltas_lead_to_the_same_as_a_complete_read
        a_checkpoint_of_other_groups_reads_the_new_ones_completely
        a_checkpoint_that_is_too_old_is_expired
        a_renamed_group_is_the_same_group
        no_faults_in_any_order_lose_a_member
    }
}

/// With an application, whose groups are all that a read of all groups reads.
mod with_an_application {
    struct Assigned;

    impl super::Setting for Assigned {
        fn settings() -> serde_json::Value {
            serde_json::json!({"application_id": super::Org::APPLICATION})
        }
    }

    promises! { Assigned:
        an_assignment_is_reported_as_it_is
        each_permission_is_in_the_report_once
        what_could_not_be_seen_is_never_gone
        deltas_lead_to_the_same_as_a_complete_read
    }
}

/// Where deactivated people are dropped from their groups.
mod with_memberships_that_end_with_the_account {
    struct Dropped;

    impl super::Setting for Dropped {
        fn behave(behaviour: &mut super::Behaviour) {
            behaviour.deprovisioned_stay_members = false;
        }
    }

    promises! { Dropped:
        what_could_not_be_seen_of_a_delta_is_never_gone
        deltas_lead_to_the_same_as_a_complete_read
        a_disabled_user_is_inactive_and_comes_back
    }
}
