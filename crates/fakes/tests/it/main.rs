//! The fakes over real HTTP.

mod graph;
mod graph_schema;
mod graph_tokens;
mod okta;
mod okta_schema;
mod okta_tokens;
mod push;
mod scim;
mod transport;
