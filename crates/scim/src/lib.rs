#![doc = include_str!("../README.md")]

pub mod bulk;
pub mod compare;
pub mod cursor;
pub mod discovery;
pub mod error;
pub mod etag;
pub mod filter;
pub mod json;
pub mod list;
pub mod member;
pub mod patch;
pub mod path;
pub mod projection;
pub mod resource;
pub mod schema;
pub mod sort;
mod target;
pub mod urn;
pub mod user;
mod value;

pub use error::{ScimError, ScimType};
pub use filter::Filter;
pub use list::ListQuery;
pub use member::{MemberKind, MemberRef};
pub use patch::{MemberDelta, PatchOutcome, PatchRequest};
pub use projection::Projection;
pub use schema::ResourceType;

/// The media type of every SCIM request and answer (RFC 7644 §8.1).
pub const MEDIA_TYPE: &str = "application/scim+json";

/// The attributes of one resource, as JSON.
pub type Attributes = serde_json::Map<String, serde_json::Value>;
