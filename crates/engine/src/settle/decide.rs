//! The decision for one person in one room. Pure: the live path, previews, explanations and tests all ask
//! the same function.

use usher_core::{EndReason, MappingId, MembershipKind, PersonId, Rejoin, SourceUserId, Stray};
use usher_storage::SourceKey;

/// What the directory and the mappings ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// The mapping with the lowest starting level.
    pub mapping: MappingId,
    /// The account.
    pub user: SourceUserId,
    /// The source.
    pub source: SourceKey,
    /// The lowest starting level of all mappings that back the person.
    pub level: String,
    /// The strictest rejoin policy of them.
    pub rejoin: Rejoin,
    /// For `auto`: the shortest span, in days.
    pub rejoin_days: Option<u32>,
}

/// What is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effective {
    /// Who owns the membership.
    pub kind: MembershipKind,
    /// Why it stays though it was not desired.
    pub stray: Option<Stray>,
}

/// What stands behind a person, over all accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountState {
    /// No source knows the person.
    None,
    /// Some account is live, active and in scope.
    Usable,
    /// Some account is live and active, and none of these is in scope.
    OutOfScope,
    /// No live account is active.
    Inactive,
    /// No account is live.
    Gone,
}

/// What stands in the way of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Nothing.
    Open,
    /// Somebody with the same address is in the room.
    SameAddress(PersonId),
    /// The room has as many people as its order expected.
    BeyondExpected,
}

/// All that decides about one person in one room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairFacts {
    /// What is asked for.
    pub desired: Option<Desired>,
    /// What is in force.
    pub effective: Option<Effective>,
    /// What stands behind the person.
    pub account: AccountState,
    /// Whether the room is archived.
    pub archived: bool,
    /// What stands in the way of a start.
    pub door: Door,
    /// Whether the person is the room's last administrator.
    pub last_administrator: bool,
    /// Whether the brake lets an ending pass.
    pub brake_passes: bool,
    /// Why somebody who is no longer desired ends.
    pub removal: EndReason,
}

/// What happens to one person in one room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing is asked for and nothing is in force.
    Nothing,
    /// The room is archived: nothing moves.
    Frozen,
    /// What is in force stays.
    Keep,
    /// What is in force stays, and is desired again after it was not.
    Release,
    /// The manual membership stays though the source wants the person: an override.
    Override,
    /// A membership starts.
    Start(Desired),
    /// The person waits at the door.
    Park(Door),
    /// The membership ends.
    End(EndReason),
    /// The brake holds the ending.
    Hold(EndReason),
    /// The room would have no administrator: the membership stays, and support is told.
    KeepLastAdministrator,
}

/// Decides.
#[must_use]
pub fn decide(facts: &PairFacts) -> Decision {
    if facts.archived {
        return Decision::Frozen;
    }
    match (&facts.desired, facts.effective) {
        (None, None) => Decision::Nothing,
        (Some(desired), None) => match facts.door {
            Door::Open => Decision::Start(desired.clone()),
            door => Decision::Park(door),
        },
        (desired, Some(effective)) => match effective.kind {
            MembershipKind::Bootstrap => Decision::Keep,
            MembershipKind::Manual => decide_manual(desired.is_some(), facts.account),
            MembershipKind::Managed if desired.is_none() => decide_ending(facts, effective.stray),
            MembershipKind::Managed if effective.stray.is_some() => Decision::Release,
            MembershipKind::Managed => Decision::Keep,
        },
    }
}

/// A manual membership belongs to people, and protects the room from accounts that are over.
fn decide_manual(desired: bool, account: AccountState) -> Decision {
    match account {
        _ if desired => Decision::Override,
        AccountState::Inactive => Decision::End(EndReason::AccountInactive),
        AccountState::Gone => Decision::End(EndReason::AccountGone),
        AccountState::None | AccountState::Usable | AccountState::OutOfScope => Decision::Keep,
    }
}

fn decide_ending(facts: &PairFacts, stray: Option<Stray>) -> Decision {
    match facts.account {
        AccountState::Inactive => Decision::End(EndReason::AccountInactive),
        AccountState::Gone => Decision::End(EndReason::AccountGone),
        AccountState::OutOfScope => Decision::End(EndReason::OutOfScope),
        AccountState::None | AccountState::Usable => match stray {
            Some(Stray::Held | Stray::HoldRejected | Stray::FrozenSource | Stray::Imported) => Decision::Keep,
            Some(Stray::LastAdministrator) if facts.last_administrator => Decision::Keep,
            _ if facts.last_administrator => Decision::KeepLastAdministrator,
            _ if facts.brake_passes => Decision::End(facts.removal),
            _ => Decision::Hold(facts.removal),
        },
    }
}

#[cfg(test)]
mod tests {
    use usher_core::TypedId;
    use uuid::Uuid;

    use super::*;

    fn desired() -> Desired {
        Desired {
            mapping: TypedId::from_uuid(Uuid::nil()),
            user: TypedId::from_uuid(Uuid::nil()),
            source: SourceKey(1),
            level: "restricted_user".into(),
            rejoin: Rejoin::Ask,
            rejoin_days: None,
        }
    }

    fn facts(wanted: bool, kind: Option<MembershipKind>) -> PairFacts {
        PairFacts {
            desired: wanted.then(desired),
            effective: kind.map(|kind| Effective { kind, stray: None }),
            account: AccountState::Usable,
            archived: false,
            door: Door::Open,
            last_administrator: false,
            brake_passes: true,
            removal: EndReason::Removed,
        }
    }

    #[test]
    fn the_table_of_desired_against_effective() {
        use MembershipKind::{Bootstrap, Managed, Manual};
        let table = [
            (true, None, Decision::Start(desired())),
            (true, Some(Managed), Decision::Keep),
            (true, Some(Manual), Decision::Override),
            (true, Some(Bootstrap), Decision::Keep),
            (false, None, Decision::Nothing),
            (false, Some(Managed), Decision::End(EndReason::Removed)),
            (false, Some(Manual), Decision::Keep),
            (false, Some(Bootstrap), Decision::Keep),
        ];
        for (wanted, kind, expected) in table {
            assert_eq!(decide(&facts(wanted, kind)), expected, "{wanted} {kind:?}");
        }
    }

    #[test]
    fn an_account_that_is_over_ends_managed_and_manual_alike_and_no_brake_stops_it() {
        for (account, reason) in [
            (AccountState::Inactive, EndReason::AccountInactive),
            (AccountState::Gone, EndReason::AccountGone),
        ] {
            for kind in [MembershipKind::Managed, MembershipKind::Manual] {
                let facts = PairFacts {
                    account,
                    brake_passes: false,
                    last_administrator: true,
                    ..facts(false, Some(kind))
                };
                assert_eq!(decide(&facts), Decision::End(reason));
            }
        }
    }

    #[test]
    fn an_external_person_without_an_account_is_never_touched() {
        let facts = PairFacts {
            account: AccountState::None,
            ..facts(false, Some(MembershipKind::Manual))
        };
        assert_eq!(decide(&facts), Decision::Keep);
    }

    #[test]
    fn the_last_administrator_stays_before_the_brake_is_asked() {
        let facts = PairFacts {
            last_administrator: true,
            brake_passes: false,
            ..facts(false, Some(MembershipKind::Managed))
        };
        assert_eq!(decide(&facts), Decision::KeepLastAdministrator);
    }

    #[test]
    fn deciding_again_after_a_hold_or_a_kept_administrator_gives_keep() {
        for (stray, last_administrator) in [(Stray::Held, false), (Stray::LastAdministrator, true)] {
            let effective = Some(Effective {
                kind: MembershipKind::Managed,
                stray: Some(stray),
            });
            let facts = PairFacts {
                effective,
                last_administrator,
                ..facts(false, None)
            };
            assert_eq!(decide(&facts), Decision::Keep);
        }
    }

    #[test]
    fn nothing_moves_in_an_archived_room() {
        let facts = PairFacts {
            archived: true,
            ..facts(true, None)
        };
        assert_eq!(decide(&facts), Decision::Frozen);
    }
}
