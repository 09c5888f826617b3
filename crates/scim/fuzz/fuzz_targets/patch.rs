//! Any body is a PATCH or is refused; it takes effect as a whole or not at all.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::json;
use usher_scim::patch::PatchLimits;
use usher_scim::schema::{GROUP_TYPE, USER_TYPE};
use usher_scim::{PatchRequest, json as body, resource};

fuzz_target!(|bytes: &[u8]| {
    let Ok(request) = body::parse(bytes, body::DEFAULT_DEPTH) else {
        return;
    };
    let ann = json!({
        "userName": "ann", "displayName": "Ann", "name": {"givenName": "Ann"}, "custom": {"a": [1]},
        "emails": [{"type": "work", "value": "a@b.example", "primary": true}, {"value": "c@d.example"}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": {"value": "u2"}}
    });
    for resource_type in [&USER_TYPE, &GROUP_TYPE] {
        let Ok(patch) = PatchRequest::parse(request.clone(), resource_type, &PatchLimits::default()) else {
            continue;
        };
        let Ok(before) = resource::canonicalise(ann.clone(), resource_type, 10) else {
            continue;
        };
        let mut after = before.attributes.clone();
        match patch.apply(&mut after) {
            Ok(outcome) => assert_eq!(outcome.changed, after != before.attributes),
            Err(_) => assert_eq!(after, before.attributes),
        }
        assert!(!after.contains_key("members") || resource_type.name == "User");
        assert!(!after.contains_key("password"));
    }
});
