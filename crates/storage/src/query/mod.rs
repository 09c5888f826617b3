//! The SQL of the product, a module for each area. Functions take a transaction and speak in domain types.

pub mod event;
pub mod facts;
pub mod group;
pub mod hold;
pub mod mapping;
pub mod member;
pub mod membership;
pub mod person;
pub mod policy;
pub mod room;
pub mod source;
pub mod user;
