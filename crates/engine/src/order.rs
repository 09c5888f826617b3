//! Orders for rooms.

use usher_core::RoomId;

use crate::EngineError;
use crate::unit::Unit;

/// Moves a room's order on after people came or left.
pub(crate) async fn after_arrivals(_unit: &mut Unit<'_, '_>, _room: RoomId) -> Result<(), EngineError> {
    Ok(())
}
