//! What a page says right after something was done: one of these sentences, by its word in `?done=`.

/// The words and what they say. No text out of an address ever gets onto a page this way.
const DONE: &[(&str, &str)] = &[
    (
        "order-made",
        "The order is saved as a draft. Check it, then send it.",
    ),
    ("order-changed", "The order was changed."),
    (
        "order-submitted",
        "The order is with the vendor now. You will see here what happens next.",
    ),
    (
        "order-accepted",
        "The order is accepted: the room's record and its mapping are made, nobody has access yet.",
    ),
    (
        "order-rejected",
        "The order was rejected. The requester can read why.",
    ),
    ("order-withdrawn", "The order was withdrawn."),
    ("room-ready", "The room is ready. Next, the mapping is confirmed."),
    (
        "mapping-confirmed",
        "The mapping is confirmed: the group may be added to the application now.",
    ),
    ("administrator-changed", "The room's administrator was changed."),
    (
        "administrator-raised",
        "The administrator has the administrator level now.",
    ),
    ("bootstrap-ended", "The set-up user has left the room."),
    ("live", "The room is live."),
    (
        "room-archived",
        "The room is archived: nobody has access to it any more.",
    ),
    (
        "room-reopened",
        "The room is open again, and its members are decided about afresh.",
    ),
    ("member-added", "Added to the room."),
    ("level-given", "The level was given."),
    ("member-ended", "The membership has ended."),
    (
        "made-manual",
        "It is a membership by hand now, and depends on no group.",
    ),
    ("end-changed", "The end was changed."),
    (
        "group-named",
        "The group is named for the room. It has no effect before it is confirmed.",
    ),
    (
        "group-confirmed",
        "Confirmed: the group’s members come in, and it may be added to the application now.",
    ),
    ("group-changed", "Changed, for people who come in from now on."),
    ("group-bound", "This is the group now."),
    ("group-unbound", "Which group it is was taken back."),
    ("group-replaced", "The other group is in its place now."),
    ("group-retired", "The group no longer leads to this room."),
    (
        "read-asked",
        "The read is asked for. It begins within a second, and is listed below.",
    ),
    (
        "token-revoked",
        "The token was revoked: it is refused from now on.",
    ),
    ("key-registered", "The key was registered."),
    (
        "key-revoked",
        "The key was revoked: tokens signed with it are refused from now on.",
    ),
    ("rules-confirmed", "The rules are in force."),
    ("mail-again", "The e-mail is on its way again."),
    ("webhook-changed", "The webhook was changed."),
    (
        "webhook-paused",
        "Paused: what happens meanwhile is delivered afterwards.",
    ),
    ("webhook-resumed", "Deliveries go on."),
    (
        "webhook-replayed",
        "Events were put in line to be delivered again.",
    ),
    ("webhook-removed", "The webhook was removed."),
    ("session-revoked", "The session was signed out."),
    ("people-linked", "Linked: the two are one person now."),
    ("logo-kept", "The logo was kept."),
    ("logo-removed", "The logo was removed."),
    ("hold-approved", "Approved: what was held happens now."),
    ("hold-rejected", "Rejected: what was held does not happen."),
    (
        "restore-suggested",
        "The restore is suggested. Look at what would happen below.",
    ),
    ("restored", "Restored: the former membership is in force again."),
    ("restore-undone", "The restore was undone."),
    ("restore-closed", "The suggestion was closed."),
];

/// What a word says; nothing for a word that is not known.
pub(crate) fn say(word: &str) -> Option<&'static str> {
    DONE.iter()
        .find(|(known, _)| *known == word)
        .map(|(_, sentence)| *sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_word_says_nothing() {
        assert_eq!(say("<b>"), None);
        assert!(say("live").is_some());
    }
}
