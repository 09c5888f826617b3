//! Any text parses or is refused; what parses prints as text that parses to itself, and can be planned and evaluated.
#![no_main]

use libfuzzer_sys::fuzz_target;
use usher_scim::Filter;
use usher_scim::filter::FilterLimits;
use usher_scim::schema::{GROUP_TYPE, USER_TYPE};

fuzz_target!(|text: &str| {
    let Ok(filter) = text.parse::<Filter>() else {
        return;
    };
    // Printing adds quotes and spaces, so the printed text may be longer than the limit.
    let limits = FilterLimits {
        length: usize::MAX,
        ..FilterLimits::default()
    };
    assert_eq!(Filter::parse(&filter.to_string(), &limits), Ok(filter.clone()));
    for resource_type in [&USER_TYPE, &GROUP_TYPE] {
        let _ = filter.lookup(resource_type);
        let _ = filter.matches(&usher_scim::Attributes::new(), resource_type);
    }
});
