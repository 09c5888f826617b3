//! The templates that are part of the program.

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[
            ("layout.html", include_str!("../templates/layout.html")),
            $(
                (concat!("en/", $name, ".txt"), include_str!(concat!("../templates/en/", $name, ".txt"))),
                (concat!("de/", $name, ".txt"), include_str!(concat!("../templates/de/", $name, ".txt"))),
            )*
        ]
    };
}

/// Name and text of each.
pub(crate) const SHIPPED: &[(&str, &str)] = shipped![
    "footer",
    "order_submitted",
    "order_withdrawn",
    "order_accepted",
    "order_rejected",
    "room_ready",
    "mapping_confirmed",
    "first_arrivals",
    "expected_exceeded",
    "administrator_raised",
    "administrator_ambiguous",
    "room_live",
    "bootstrap_overdue",
    "restore_suggested",
    "hold_opened",
    "hold_due_soon",
    "source_degraded",
    "source_recovered",
    "room_without_administrator",
    "token_expiring",
    "webhook_disabled",
    "test",
];
