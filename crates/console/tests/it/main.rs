//! The console's pages on canned answers of the API.

#[expect(dead_code, reason = "forms are sent by the tests of the pages that land next")]
mod canned;
mod hostile;
mod pages;
mod weight;
