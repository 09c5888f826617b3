//! Grants: what the portal says hangs on a membership.

use serde_json::json;
use usher_core::{GrantId, MembershipId};
use usher_storage::query;
use usher_storage::query::grant::GrantRow;

use crate::unit::{About, Unit};
use crate::{EngineError, EventKind};

/// The longest kind, in bytes.
const MAX_KIND: usize = 64;
/// The longest reference and label, in bytes.
const MAX_TEXT: usize = 1024;

/// A grant as the portal writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantData {
    /// What it is, in the portal's words, such as `meeting`.
    pub kind: String,
    /// The portal's name for it.
    pub reference: String,
    /// What people see.
    pub label: String,
}

impl Unit<'_, '_> {
    /// Hangs something on an active membership. Writing the same thing again changes at most its label.
    ///
    /// # Errors
    /// [`EngineError::NotFound`]; [`EngineError::Invalid`] when a text is empty or too long; refused when the
    /// membership is over.
    pub async fn write_grant(
        &mut self,
        membership: MembershipId,
        data: &GrantData,
    ) -> Result<GrantRow, EngineError> {
        check("kind", &data.kind, MAX_KIND)?;
        check("reference", &data.reference, MAX_TEXT)?;
        check("label", &data.label, MAX_TEXT)?;
        let membership = self.active_membership(membership, None).await?;
        let known = query::grant::by_reference(self.tx, membership.id, &data.kind, &data.reference).await?;
        let grant = match known {
            Some(grant) if grant.label == data.label => return Ok(grant),
            Some(grant) => {
                query::grant::relabel(self.tx, grant.id, &data.label).await?;
                GrantRow {
                    label: data.label.clone(),
                    version: grant.version + 1,
                    ..grant
                }
            }
            None => {
                let grant = GrantRow {
                    id: self.id(),
                    membership: membership.id,
                    kind: data.kind.clone(),
                    reference: data.reference.clone(),
                    label: data.label.clone(),
                    moved_from: None,
                    created: self.now,
                    dropped: None,
                    version: 1,
                };
                query::grant::insert(self.tx, &grant).await?;
                grant
            }
        };
        self.tell_grant(EventKind::GrantWritten, &grant).await?;
        Ok(grant)
    }

    /// Drops a grant; it stays in the history. Dropping it again changes nothing.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub async fn drop_grant(&mut self, id: GrantId) -> Result<GrantRow, EngineError> {
        let grant = query::grant::by_id(self.tx, id)
            .await?
            .ok_or_else(|| EngineError::not_found("grant", id))?;
        if grant.dropped.is_some() {
            return Ok(grant);
        }
        query::grant::set_dropped(self.tx, [id], Some(self.now)).await?;
        let dropped = GrantRow {
            dropped: Some(self.now),
            version: grant.version + 1,
            ..grant
        };
        self.tell_grant(EventKind::GrantDropped, &dropped).await?;
        Ok(dropped)
    }

    async fn tell_grant(&mut self, kind: EventKind, grant: &GrantRow) -> Result<(), EngineError> {
        let membership = query::membership::by_id(self.tx, grant.membership).await?;
        let about = About {
            source: None,
            room: membership.as_ref().map(|membership| membership.room),
            person: membership.as_ref().map(|membership| membership.person),
            membership: Some(grant.membership),
        };
        let data = json!({ "grant": grant.id, "kind": grant.kind, "reference": grant.reference });
        self.tell(kind, about, &data);
        Ok(())
    }
}

fn check(field: &'static str, text: &str, longest: usize) -> Result<(), EngineError> {
    if text.trim().is_empty() || text.len() > longest {
        return Err(EngineError::invalid(
            field,
            format!("give a text of 1 to {longest} bytes"),
        ));
    }
    Ok(())
}
