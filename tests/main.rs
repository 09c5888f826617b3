//! End-to-end tests: the built binary, driven over HTTP and through its command line by clients that are not ours.

#![expect(unreachable_pub, reason = "the harness is written as a small library")]

mod a_new_room;
mod a_person_back;
mod backup;
mod brake;
mod browser;
mod by_hand;
mod cli_beside_server;
mod conformance;
mod demo;
mod durability;
mod guessing;
mod harness;
mod lifecycle;
mod mail;
mod nodes;
mod promises;
mod providers;
mod pull_third_party;
mod push_clients;
mod races;
mod rooms_and_groups;
mod storage_copy;
mod upgrade;
mod webhooks;
