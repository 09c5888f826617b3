#![doc = include_str!("../README.md")]

mod access;
mod assets;
mod backend;
mod failure;
mod flash;
mod frame;
mod html;
mod live;
mod pages;
mod plan;
mod posted;
mod render;
mod router;
mod visit;

pub use access::PAGES;
pub use backend::{Answer, Backend, Call, Content, Csrf, Viewer};
pub use failure::{Failure, Problem};
pub use pages::sign_in::{Provider, SignIn, SignInMessage, sign_in};
pub use posted::{File, Posted, is_from_here};
pub use render::notice;
pub use router::router;
