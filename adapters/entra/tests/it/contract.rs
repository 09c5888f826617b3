//! The promises of the provisioning trait, with pages of two.

use std::sync::Arc;

use http::Method;
use usher_adapter_entra::EntraAdapter;
use usher_core::ProvisioningAdapter;
use usher_fakes::{Directory, Faults, Guest, IdStyle, Seen};
use usher_testkit::{Provider, Shape};

use crate::world::{World, adapter};

struct Entra(World);

impl Provider for Entra {
    const IDS: IdStyle = IdStyle::Guid;
    const GUESTS: &'static [Guest] = &[Guest::External, Guest::ExternalMember, Guest::Internal];

    async fn start(directory: Directory, shape: Shape) -> Self {
        let world = World::over(directory).await;
        world
            .graph
            .set(|options| options.page_size = Some(shape.page_size));
        Self(world)
    }

    fn faults(&self) -> &Faults {
        &self.0.faults
    }

    fn seen(&self) -> Vec<Seen> {
        self.0.graph.served().seen()
    }

    fn adapter(&self) -> Arc<dyn ProvisioningAdapter> {
        Arc::new(adapter(self.0.settings()))
    }

    fn hasty_adapter(&self) -> Arc<dyn ProvisioningAdapter> {
        Arc::new(self.0.hasty_adapter())
    }

    fn adapter_without_pull(&self) -> Option<Arc<dyn ProvisioningAdapter>> {
        let config = serde_json::from_str("{}").expect("nothing is needed to push");
        Some(Arc::new(EntraAdapter::new(&config).expect("nothing to refuse")))
    }

    fn secrets(&self) -> Vec<String> {
        let tokens = 1..=self.0.graph.issued();
        let mut secrets: Vec<String> = tokens.map(|number| format!("access-token-{number}")).collect();
        secrets.extend(self.0.graph.options().secret);
        secrets
    }

    fn only_asks(seen: &Seen) -> bool {
        let asking = ["token", "$batch", "checkMemberGroups"];
        seen.method == Method::GET || asking.iter().any(|part| seen.path.ends_with(part))
    }
}

usher_testkit::contract_tests!(Entra);
