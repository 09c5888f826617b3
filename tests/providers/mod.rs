//! Identity providers, pushed and pulled: fakes of Entra ID, of Okta and of a SCIM service provider on one side, the built
//! binary on the other, and one directory behind both.

mod both;
mod check;
mod equal;
mod idp;
mod plain;
mod restart;
mod rig;
mod secrets;
mod stories;
mod trouble;

use idp::{Idp, Kind};
use rig::{Rig, Way};
