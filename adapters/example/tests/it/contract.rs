//! The contract, one test for each promise.

use std::sync::Arc;
use std::time::Duration;

use usher_adapter_example::{AcmeAdapter, AcmeConfig};
use usher_core::ProvisioningAdapter;
use usher_fakes::{Directory, Faults, Guest, IdStyle, Seen, Served};
use usher_outbound::Patience;
use usher_testkit::{Provider, Shape};

use crate::acme::{TOKEN, serve};

struct Acme {
    served: Served,
    faults: Faults,
}

impl Acme {
    fn adapter_that_waits(&self, at_most: Duration) -> Arc<dyn ProvisioningAdapter> {
        let config = AcmeConfig {
            base_url: Some(format!("{}/v1", self.served.url())),
            token: Some(TOKEN.into()),
        };
        let adapter = AcmeAdapter::with(&config, Patience::none(), at_most);
        Arc::new(adapter.expect("settings that can work"))
    }
}

impl Provider for Acme {
    const IDS: IdStyle = IdStyle::Opaque;
    const GUESTS: &'static [Guest] = &[Guest::External, Guest::ExternalMember, Guest::Internal];

    async fn start(directory: Directory, shape: Shape) -> Self {
        let faults = Faults::none();
        let served = serve(directory, shape.page_size, faults.clone()).await;
        Self { served, faults }
    }

    fn faults(&self) -> &Faults {
        &self.faults
    }

    fn seen(&self) -> Vec<Seen> {
        self.served.seen()
    }

    fn adapter(&self) -> Arc<dyn ProvisioningAdapter> {
        self.adapter_that_waits(Duration::from_secs(30))
    }

    fn hasty_adapter(&self) -> Arc<dyn ProvisioningAdapter> {
        self.adapter_that_waits(Duration::from_millis(250))
    }

    fn adapter_without_pull(&self) -> Option<Arc<dyn ProvisioningAdapter>> {
        let adapter = AcmeAdapter::new(&AcmeConfig::default());
        Some(Arc::new(adapter.expect("settings that can work")))
    }

    fn secrets(&self) -> Vec<String> {
        vec![TOKEN.into()]
    }
}

usher_testkit::contract_tests!(Acme);
