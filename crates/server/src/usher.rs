//! The program as a library: adapters in, an exit code out.

use std::process::ExitCode;

use usher_core::{Factory, Registry};

use crate::cli;

/// The program with its adapters. An integrator's own `main` registers one more and runs it:
///
/// ```no_run
/// use usher_server::Usher;
/// # fn acme(_: &usher_core::Settings)
/// # -> Result<std::sync::Arc<dyn usher_core::ProvisioningAdapter>, usher_core::AdapterError> {
/// #     Err(usher_core::AdapterError::unsupported("build", "there is no acme here"))
/// # }
///
/// fn main() -> std::process::ExitCode {
///     Usher::new().register("acme", acme).run()
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Usher {
    registry: Registry,
}

impl Usher {
    /// The program with the adapters that are part of it.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::new();
        usher_adapter_entra::register(&mut registry);
        usher_adapter_okta::register(&mut registry);
        usher_adapter_scim::register(&mut registry);
        Self { registry }
    }

    /// Adds an adapter, or puts another in the place of one of the same kind.
    #[must_use]
    pub fn register(mut self, kind: &'static str, factory: Factory) -> Self {
        self.registry.register(kind, factory);
        self
    }

    /// The adapters.
    #[must_use]
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Reads the arguments of the process and does what they say.
    #[must_use]
    pub fn run(self) -> ExitCode {
        cli::run(&self, std::env::args_os())
    }
}

impl Default for Usher {
    fn default() -> Self {
        Self::new()
    }
}
