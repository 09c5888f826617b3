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
