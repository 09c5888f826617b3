//! The fakes over real HTTP.

mod okta;
mod okta_schema;
mod okta_tokens;
mod push;
mod scim;
mod transport;
