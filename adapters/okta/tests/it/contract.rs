//! The promises of the provisioning trait, with an API token and with a service application, and with every reading of
//! what Okta's documentation leaves open.

use std::sync::Arc;

use serde_json::{Value, json};
use usher_adapter_okta::{OktaAdapter, OktaConfig};
use usher_core::{Notification, ProvisioningAdapter};
use usher_fakes::okta::{Behaviour, Org, Rights};
use usher_fakes::{Directory, Faults, Guest, IdStyle, Seen};
use usher_testkit::{Calls, Provider, Shape};

use crate::world::{HOOK_SECRET, TOKEN, World, adapter};

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
        world.take_app(Rights::all(), true);
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
        Arc::new(adapter(&self.settings))
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

/// With a service application, bound tokens, the System Log and an event hook.
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

/// With the other reading of everything that is open.
mod with_the_other_readings {
    use usher_fakes::okta::{Behaviour, Ungranted};

    pub(super) struct Other;

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

    usher_testkit::contract_tests!(super::Fake<Other>);
}

/// With an application, whose groups are all that a read of all groups reads.
mod with_an_application {
    use usher_testkit::{promises, run};

    struct Assigned;

    impl super::Setting for Assigned {
        fn settings() -> serde_json::Value {
            serde_json::json!({"application_id": super::Org::APPLICATION})
        }
    }

    type Provider = super::Fake<Assigned>;

    #[test]
    fn an_assignment_is_reported_as_it_is() {
        let test = promises::an_assignment_is_reported_as_it_is::<Provider>();
        run("an_assignment_is_reported_as_it_is", test);
    }

    #[test]
    fn each_permission_is_in_the_report_once() {
        let test = promises::each_permission_is_in_the_report_once::<Provider>();
        run("each_permission_is_in_the_report_once", test);
    }

    #[test]
    fn what_could_not_be_seen_is_never_gone() {
        let test = promises::what_could_not_be_seen_is_never_gone::<Provider>();
        run("what_could_not_be_seen_is_never_gone", test);
    }

    #[test]
    fn deltas_lead_to_the_same_as_a_complete_read() {
        let test = promises::deltas_lead_to_the_same_as_a_complete_read::<Provider>();
        run("deltas_lead_to_the_same_as_a_complete_read", test);
    }
}

/// Where deactivated people are dropped from their groups.
mod with_memberships_that_end_with_the_account {
    use usher_fakes::okta::Behaviour;
    use usher_testkit::{promises, run};

    struct Dropped;

    impl super::Setting for Dropped {
        fn behave(behaviour: &mut Behaviour) {
            behaviour.deprovisioned_stay_members = false;
        }
    }

    type Provider = super::Fake<Dropped>;

    #[test]
    fn what_could_not_be_seen_of_a_delta_is_never_gone() {
        let test = promises::what_could_not_be_seen_of_a_delta_is_never_gone::<Provider>();
        run("what_could_not_be_seen_of_a_delta_is_never_gone", test);
    }

    #[test]
    fn deltas_lead_to_the_same_as_a_complete_read() {
        let test = promises::deltas_lead_to_the_same_as_a_complete_read::<Provider>();
        run("deltas_lead_to_the_same_as_a_complete_read", test);
    }

    #[test]
    fn a_disabled_user_is_inactive_and_comes_back() {
        let test = promises::a_disabled_user_is_inactive_and_comes_back::<Provider>();
        run("a_disabled_user_is_inactive_and_comes_back", test);
    }
}
