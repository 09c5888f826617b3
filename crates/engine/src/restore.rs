//! A person back: suggestions to restore a former membership.

use usher_storage::query::membership::MembershipRow;

use crate::unit::Unit;
use crate::{Desired, EngineError};

/// Looks for former memberships of people who just came in.
pub(crate) async fn after_starts(
    _unit: &mut Unit<'_, '_>,
    _memberships: &[MembershipRow],
    _desired: &[Desired],
) -> Result<(), EngineError> {
    Ok(())
}

/// Closes suggestions that lost their ground.
pub(crate) async fn after_endings(
    _unit: &mut Unit<'_, '_>,
    _memberships: &[MembershipRow],
) -> Result<(), EngineError> {
    Ok(())
}
