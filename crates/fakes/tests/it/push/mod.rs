//! The clients that push, against an endpoint that takes everything.

mod endpoint;
mod entra;
mod okta;
