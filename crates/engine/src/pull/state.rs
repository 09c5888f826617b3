//! Whose directory a source is: the tenant is pinned at first contact, and another one is never read.

use usher_storage::{SourceKey, query};

use crate::EngineError;
use crate::unit::Unit;

impl Unit<'_, '_> {
    /// Pins the provider's tenant or organisation of a source at first contact.
    ///
    /// # Errors
    /// [`EngineError::Refused`] (`source_tenant_changed`) when another one answered before: its people are not these.
    pub async fn pin_tenant(&mut self, source: SourceKey, tenant: &str) -> Result<(), EngineError> {
        let row = query::source::by_key(self.tx, source)
            .await?
            .ok_or_else(|| EngineError::not_found("source", source.0))?;
        match row.tenant {
            Some(pinned) if pinned == tenant => Ok(()),
            Some(pinned) => Err(EngineError::refused(
                "source_tenant_changed",
                format!(
                    "source '{}' belongs to tenant '{pinned}', and tenant '{tenant}' answers now",
                    row.name
                ),
                "correct the settings of the source, or configure the other tenant as a source of its own",
            )),
            None => Ok(query::source::pin_tenant(self.tx, source, tenant).await?),
        }
    }
}
