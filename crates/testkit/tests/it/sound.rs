//! An adapter that keeps every promise.

use crate::provider::Tiny;

usher_testkit::contract_tests!(Tiny<{ crate::provider::SOUND }>);
