//! The console's pages on canned answers of the API.

mod canned;
mod forms;
mod hostile;
mod pages;
mod weight;
