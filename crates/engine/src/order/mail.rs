//! The order as an e-mail, for those who order by mail.

use std::fmt::Write as _;

use serde::Serialize;
use usher_core::{GroupNaming, RoomModel};

use super::OrderView;
use crate::policy::Policy;

/// A filled-in e-mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderMail {
    /// The subject.
    pub subject: String,
    /// The body, lines ending in `\n`.
    pub body: String,
    /// Both as a `mailto:` address without a recipient (RFC 6068).
    pub mailto: String,
    /// Both as plain text to paste.
    pub text: String,
}

/// Writes an order's e-mail.
pub(super) fn write(order: &OrderView, policy: &Policy) -> OrderMail {
    let subject = format!("Order for room \"{}\" ({})", order.room_name, order.customer);
    let level = policy.levels.administrator(order.model, order.all_content);
    let model = match order.model {
        RoomModel::Open => "open",
        RoomModel::Closed => "closed",
    };
    let named_by = match order.named_by {
        GroupNaming::Id => "object id",
        GroupNaming::Name => "name",
    };
    let features = match order.features.as_slice() {
        [] => "none".to_owned(),
        features => features.join(", "),
    };
    let lines = [
        ("Customer", order.customer.clone()),
        ("Room", order.room_name.clone()),
        ("Administrator", order.administrator.clone()),
        ("Administrator's level", level.label.clone()),
        (
            "Access to all content",
            if order.all_content { "yes" } else { "no" }.to_owned(),
        ),
        ("Model", model.to_owned()),
        ("Special features", features),
        (
            "Logo",
            if order.logo { "in the order" } else { "none" }.to_owned(),
        ),
        ("Identity provider", order.source.clone()),
        ("Group", format!("{} ({named_by})", order.group)),
        ("Expected people", order.expected.to_string()),
        ("Requester", order.requester.clone()),
        ("Order", order.id.to_string()),
    ];
    let mut body = String::from("Please set up this room:\n\n");
    for (label, value) in lines {
        writeln!(body, "{label}: {value}").expect("text takes all lines");
    }
    OrderMail {
        mailto: format!("mailto:?subject={}&body={}", encode(&subject), encode(&body)),
        text: format!("Subject: {subject}\n\n{body}"),
        subject,
        body,
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters; line breaks become `%0D%0A`, as RFC 6068 §5
/// asks.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b'\n' => encoded.push_str("%0D%0A"),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            other => write!(encoded, "%{other:02X}").expect("text takes all characters"),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_can_end_the_mailto_field_it_is_in() {
        assert_eq!(encode("A&b=c?d#e\nÜ"), "A%26b%3Dc%3Fd%23e%0D%0A%C3%9C");
    }
}
