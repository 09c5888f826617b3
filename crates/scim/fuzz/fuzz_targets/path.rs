//! Any text is a PATCH path or is refused; what is one prints as text that parses to itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use usher_scim::filter::FilterLimits;
use usher_scim::path::PatchPath;

fuzz_target!(|text: &str| {
    let Ok(path) = text.parse::<PatchPath>() else {
        return;
    };
    let limits = FilterLimits {
        length: usize::MAX,
        ..FilterLimits::default()
    };
    assert_eq!(PatchPath::parse(&path.to_string(), &limits), Ok(path));
});
