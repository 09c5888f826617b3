//! Any body is a resource or is refused; its canonical attributes are their own canonical form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use usher_scim::schema::{GROUP_TYPE, USER_TYPE};
use usher_scim::{json as body, resource};

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = body::parse(bytes, body::DEFAULT_DEPTH) else {
        return;
    };
    for resource_type in [&USER_TYPE, &GROUP_TYPE] {
        let Ok(once) = resource::canonicalise(value.clone(), resource_type, 1000) else {
            continue;
        };
        let again = resource::canonicalise(Value::Object(once.attributes.clone()), resource_type, 1000);
        assert_eq!(again.map(|canonical| canonical.attributes), Ok(once.attributes));
    }
});
