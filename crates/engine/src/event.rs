//! The kinds of events.

macro_rules! event_kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal),* $(,)?) => {
        /// What happened. Past tense, one fact each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventKind {
            $($(#[$doc])* $name),*
        }

        impl EventKind {
            /// Every kind, for documents and filters.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word in the feed.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text),*
                }
            }
        }
    };
}

event_kinds! {
    /// A source created a user.
    UserCreated = "directory.user.created",
    /// A source changed a user.
    UserChanged = "directory.user.changed",
    /// A source deactivated a user.
    UserDeactivated = "directory.user.deactivated",
    /// A source activated a user again.
    UserReactivated = "directory.user.reactivated",
    /// A source deleted a user.
    UserDeleted = "directory.user.deleted",
    /// A new user has the address of somebody else.
    UserSimilar = "directory.user.similar",
    /// A source created a group.
    GroupCreated = "directory.group.created",
    /// A source renamed or changed a group.
    GroupChanged = "directory.group.changed",
    /// A source deleted a group.
    GroupDeleted = "directory.group.deleted",
    /// A source added or removed members of a group.
    GroupMembersChanged = "directory.group.members_changed",
    /// A source named members that nobody knows.
    GroupMembersPending = "directory.group.members_pending",
    /// Group member rows were distrusted after an inactivity.
    MembersDormant = "directory.group.members_dormant",
    /// A group arrived that no confirmed mapping names.
    GroupParked = "directory.group.parked",
    /// A read saw that a group is assigned to the application: whom reads saw in it counts now.
    GroupAssigned = "directory.group.assigned",
    /// A read saw that a group is not assigned to the application any more.
    GroupUnassigned = "directory.group.unassigned",
    /// What was pushed and what was read of a group are the same.
    GroupJoined = "directory.group.joined",
    /// What was pushed and what was read of a user are the same.
    UserJoined = "directory.user.joined",
    /// Only the name says that a user who was read was also pushed; a human has to join the two.
    UserNotJoined = "directory.user.not_joined",
    /// Two reads did not see members that a push named: they have no effect any more.
    MembersRefuted = "directory.group.members_refuted",
    /// Two reads saw members that a push had removed or never named again: they count.
    MembersReinstated = "directory.group.members_reinstated",
    /// A source appeared in the configuration.
    SourceAdded = "source.added",
    /// A source disappeared from the configuration; nothing more is known of it, and nobody ends.
    SourceFrozen = "source.frozen",
    /// A frozen source is configured again.
    SourceThawed = "source.thawed",
    /// A source was retired by a human.
    SourceRetired = "source.retired",
    /// A source cannot be read; nobody ends because of it.
    SourceDegraded = "source.degraded",
    /// A source can be read again.
    SourceRecovered = "source.recovered",
    /// The rules were changed in the configuration and wait for a confirmation.
    PolicyProposed = "policy.proposed",
    /// New rules are in force.
    PolicyConfirmed = "policy.confirmed",
    /// A membership began.
    MembershipStarted = "membership.started",
    /// A membership ended.
    MembershipEnded = "membership.ended",
    /// A membership's level changed.
    MembershipLevelChanged = "membership.level_changed",
    /// An ending was held by the brake.
    MembershipHeld = "membership.held",
    /// A held or kept membership is desired again.
    MembershipReleased = "membership.released",
    /// The last administrator was kept though the source removed them.
    MembershipKept = "membership.kept_last_administrator",
    /// A managed membership became a manual one.
    MembershipMadeManual = "membership.made_manual",
    /// A manual membership got another end date.
    MembershipExtended = "membership.extended",
    /// A membership was restored in place of another.
    MembershipRestored = "membership.restored",
    /// A restore was undone.
    MembershipRestoreUndone = "membership.restore_undone",
    /// A person waits at a room's door for a human.
    PersonParked = "person.parked",
    /// A person no longer waits.
    PersonUnparked = "person.unparked",
    /// Two identities were linked by a human.
    PersonLinked = "person.linked",
    /// A former membership could be restored.
    RestoreSuggested = "restore.suggested",
    /// A suggestion was closed.
    RestoreClosed = "restore.closed",
    /// The brake opened a hold.
    HoldOpened = "hold.opened",
    /// A hold that nobody decided is soon applied.
    HoldDueSoon = "hold.due_soon",
    /// A hold was approved and its endings were applied.
    HoldApproved = "hold.approved",
    /// A hold was rejected; its people stay.
    HoldRejected = "hold.rejected",
    /// A hold that nobody decided was applied.
    HoldApplied = "hold.applied",
    /// A hold became empty, because all of its people are desired again or ended otherwise.
    HoldReleased = "hold.released",
    /// A room was created.
    RoomCreated = "room.created",
    /// The portal reported the room's id and URL.
    RoomReady = "room.ready",
    /// The room is in use.
    RoomLive = "room.live",
    /// The room was archived.
    RoomArchived = "room.archived",
    /// The room was reopened.
    RoomReopened = "room.reopened",
    /// The room has no administrator any more.
    RoomWithoutAdministrator = "room.without_administrator",
    /// The room has an administrator again.
    RoomAdministratorFound = "room.administrator_found",
    /// A mapping was made.
    MappingCreated = "mapping.created",
    /// A mapping was bound to its group.
    MappingBound = "mapping.bound",
    /// A human took back to which group a mapping is bound.
    MappingUnbound = "mapping.unbound",
    /// The level or the rejoin policy of a mapping was changed.
    MappingChanged = "mapping.changed",
    /// A mapping was confirmed: the group may be added to the application now.
    MappingConfirmed = "mapping.confirmed",
    /// A mapping was replaced by another group's.
    MappingReplaced = "mapping.replaced",
    /// A mapping was retired.
    MappingRetired = "mapping.retired",
    /// An order moved to another state.
    OrderMoved = "order.moved",
    /// An order's fields were changed.
    OrderChanged = "order.changed",
    /// An order's administrator was bound to a person.
    OrderAdministratorBound = "order.administrator_bound",
    /// An order's administrator has the administrator level.
    OrderAdministratorRaised = "order.administrator_raised",
    /// An order needs somebody.
    OrderAlert = "order.alert",
    /// A grant was written.
    GrantWritten = "grant.written",
    /// A grant was dropped.
    GrantDropped = "grant.dropped",
    /// A grant moved to another membership.
    GrantMoved = "grant.moved",
    /// A token was made.
    TokenCreated = "token.created",
    /// A token is near its end.
    TokenExpiring = "token.expiring",
    /// A token was revoked.
    TokenRevoked = "token.revoked",
    /// Somebody signed in to the console.
    SessionStarted = "session.started",
    /// Somebody signed out of the console, or was signed out.
    SessionEnded = "session.ended",
    /// A local administrator got a new password.
    AdministratorPasswordSet = "administrator.password_set",
    /// A customer's signing key was registered.
    KeyRegistered = "key.registered",
    /// A customer's signing key was revoked.
    KeyRevoked = "key.revoked",
    /// An endpoint for events was added.
    WebhookCreated = "webhook.created",
    /// An endpoint's address, filter or description was changed.
    WebhookChanged = "webhook.changed",
    /// An endpoint was paused by a human.
    WebhookPaused = "webhook.paused",
    /// Deliveries to an endpoint go on.
    WebhookResumed = "webhook.resumed",
    /// Usher gave up on an endpoint.
    WebhookDisabled = "webhook.disabled",
    /// An endpoint was removed.
    WebhookRemoved = "webhook.removed",
    /// An endpoint got a new secret.
    WebhookSecretRotated = "webhook.secret_rotated",
    /// Events are delivered to an endpoint again, as a human asked.
    WebhookReplayed = "webhook.replayed",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_kinds_share_a_word() {
        let mut words: Vec<_> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), EventKind::ALL.len());
    }
}
