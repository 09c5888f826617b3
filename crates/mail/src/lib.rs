#![doc = include_str!("../README.md")]

mod blocks;
mod clean;
mod facts;
mod language;
mod notice;
mod shipped;
mod templates;

pub use facts::{
    Facts, HoldFacts, OrderFacts, Provider, RestoreFacts, RoomFacts, SourceFacts, TokenFacts, WebhookFacts,
};
pub use language::Language;
pub use notice::{Audience, Notice};
pub use templates::{Message, TemplateError, Templates};
