//! Rules that hold for every input.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};
use usher_scim::filter::{CompareOp, CompareValue, NumberText};
use usher_scim::list::decode_query;
use usher_scim::path::{AttrPath, PatchPath};
use usher_scim::schema::{GROUP_TYPE, USER_TYPE};
use usher_scim::{Filter, ResourceType, json as body, resource};

use crate::support::{ENTERPRISE, object, parse};

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("userName".to_owned()),
        Just("emails".to_owned()),
        Just("$ref".to_owned()),
        Just("not".to_owned()),
        Just("and".to_owned()),
        "[a-zA-Z][a-zA-Z0-9_-]{0,8}",
    ]
}

fn path() -> impl Strategy<Value = AttrPath> {
    let uri = prop_oneof![
        4 => Just(None),
        1 => Just(Some(ENTERPRISE.into())),
        1 => Just(Some("urn:example:2.0:User".into())),
    ];
    (uri, name(), option::of(name())).prop_map(|(uri, name, sub)| AttrPath { uri, name, sub })
}

fn value() -> impl Strategy<Value = CompareValue> {
    prop_oneof![
        Just(CompareValue::Null),
        any::<bool>().prop_map(CompareValue::Boolean),
        any::<i64>().prop_map(|n| number(&n.to_string())),
        "-?[1-9][0-9]{0,3}(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?".prop_map(|text| number(&text)),
        any::<String>().prop_map(CompareValue::String),
        "[ \\[\\]()\"\\\\a-z]{0,12}".prop_map(CompareValue::String),
    ]
}

fn number(text: &str) -> CompareValue {
    CompareValue::Number(NumberText::parse(text).expect("a JSON number"))
}

fn comparison(path: impl Strategy<Value = AttrPath>) -> impl Strategy<Value = Filter> {
    (path, proptest::sample::select(CompareOp::ALL.to_vec()), value())
        .prop_map(|(path, op, value)| Filter::compare(path, op, value))
}

fn combined(leaf: BoxedStrategy<Filter>) -> impl Strategy<Value = Filter> {
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..4).prop_map(Filter::and),
            vec(inner.clone(), 1..4).prop_map(Filter::or),
            inner.prop_map(|part| Filter::Not(Box::new(part))),
        ]
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    let within = combined(comparison(name().prop_map(AttrPath::new)).boxed());
    let leaf = prop_oneof![
        comparison(path()),
        path().prop_map(Filter::Present),
        (path(), within).prop_map(|(path, filter)| Filter::ValuePath {
            path: AttrPath { sub: None, ..path },
            filter: Box::new(filter)
        }),
    ];
    combined(leaf.boxed())
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        prop_oneof![
            Just("true"),
            Just(""),
            Just("work"),
            Just("u1"),
            Just("a@b.example")
        ]
        .prop_map(Value::from),
    ];
    let key = prop_oneof![
        Just("userName".to_owned()),
        Just("name".to_owned()),
        Just("name.givenName".to_owned()),
        Just("givenName".to_owned()),
        Just("emails".to_owned()),
        Just("emails[type eq \"work\"].value".to_owned()),
        Just("value".to_owned()),
        Just("type".to_owned()),
        Just("primary".to_owned()),
        Just("active".to_owned()),
        Just("members".to_owned()),
        Just("displayName".to_owned()),
        Just("id".to_owned()),
        Just("password".to_owned()),
        Just("manager".to_owned()),
        Just("custom".to_owned()),
        Just("custom.part".to_owned()),
        Just("urn:example:x".to_owned()),
        Just(ENTERPRISE.to_owned()),
        Just(format!("{ENTERPRISE}:manager")),
    ];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            vec((key.clone(), inner), 0..5).prop_map(|parts| Value::Object(parts.into_iter().collect())),
        ]
    })
}

fn patch_path() -> impl Strategy<Value = String> {
    let known = [
        "userName",
        "displayName",
        "name",
        "name.givenName",
        "emails",
        "emails.value",
        "emails[type eq \"work\"]",
        "emails[type eq \"work\"].value",
        "emails[primary eq true].type",
        "emails[value co \"x\" or type pr]",
        "active",
        "members",
        "members[value eq \"u1\"]",
        "custom",
        "custom.part",
        "custom[a eq 1].b",
        "manager",
        "urn:example:x",
        "urn:example:x:part",
        "id",
        "schemas",
    ];
    proptest::sample::select(known.map(str::to_owned).to_vec())
}

fn operation(ops: &'static [&'static str]) -> impl Strategy<Value = Value> {
    (
        proptest::sample::select(ops),
        option::of(patch_path()),
        json_value(),
    )
        .prop_map(|(op, path, value)| match path {
            Some(path) => json!({"op": op, "path": path, "value": value}),
            None => json!({"op": op, "value": value}),
        })
}

fn attributes() -> impl Strategy<Value = usher_scim::Attributes> {
    json_value().prop_map(|value| {
        let mut body = value.as_object().cloned().unwrap_or_default();
        body.insert("userName".into(), "ann".into());
        resource::canonicalise(Value::Object(body), &USER_TYPE, 10).map_or_else(
            |_| object(json!({"userName": "ann"})),
            |canonical| canonical.attributes,
        )
    })
}

fn types() -> impl Strategy<Value = &'static ResourceType> {
    prop_oneof![Just(&USER_TYPE), Just(&GROUP_TYPE)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_printed_filter_parses_to_itself(filter in filter()) {
        let text = filter.to_string();
        let limits = usher_scim::filter::FilterLimits { length: 1 << 20, depth: 64, terms: 1000 };
        let parsed = Filter::parse(&text, &limits);
        prop_assert_eq!(parsed.as_ref(), Ok(&filter), "{}", text);
    }

    #[test]
    fn parsers_take_any_text(text in any::<String>(), grammar in "[a-z\\[\\]().\"\\\\ :$]{0,40}") {
        for text in [text, grammar] {
            if let Ok(filter) = text.parse::<Filter>() {
                prop_assert_eq!(filter.to_string().parse::<Filter>(), Ok(filter));
            }
            if let Ok(path) = text.parse::<PatchPath>() {
                prop_assert_eq!(path.to_string().parse::<PatchPath>(), Ok(path));
            }
            let _ = decode_query(&text);
            let _ = body::parse(text.as_bytes(), 8);
            let _ = usher_scim::etag::TagList::parse(&text);
        }
    }

    #[test]
    fn a_plan_agrees_with_evaluation(filter in filter(), user in attributes()) {
        if let Ok(plan) = filter.lookup(&USER_TYPE) {
            let matches = filter.matches(&user, &USER_TYPE);
            if plan.lookup == usher_scim::filter::lookup::Lookup::Nothing {
                // A stored resource has these; the canonical attributes here lack what the server adds.
                let server_side = ["id", "meta", "schemas"].iter().any(|name| filter.mentions(name));
                prop_assert!(!matches || server_side, "{}", filter);
            }
            if matches && let Some(residual) = plan.residual {
                prop_assert!(residual.matches(&user, &USER_TYPE), "{}", filter);
            }
        }
    }

    #[test]
    fn canonical_attributes_are_a_fixed_point(user in attributes()) {
        let again = resource::canonicalise(Value::Object(user.clone()), &USER_TYPE, 10);
        prop_assert_eq!(again.map(|canonical| canonical.attributes), Ok(user));
    }

    #[test]
    fn any_body_is_read_or_refused(value in json_value(), resource_type in types()) {
        if let Ok(canonical) = resource::canonicalise(value, resource_type, 10) {
            for absent in ["id", "meta", "schemas", "groups", "password"] {
                prop_assert!(!canonical.attributes.contains_key(absent) || resource_type.name == "Group" && absent != "id");
            }
            prop_assert!(resource_type.name == "User" || !canonical.attributes.contains_key("members"));
        }
    }

    #[test]
    fn a_patch_works_as_a_whole_or_not_at_all(
        mut user in attributes(),
        operations in vec(operation(&["add", "remove", "replace"]), 1..5),
    ) {
        let before = user.clone();
        let text_before = serde_json::to_string(&before).expect("JSON");
        let Ok(patch) = parse(&json!({"Operations": operations}), &USER_TYPE) else { return Ok(()) };
        match patch.apply(&mut user) {
            Ok(outcome) => prop_assert_eq!(outcome.changed, user != before),
            Err(_) => prop_assert_eq!(serde_json::to_string(&user).expect("JSON"), text_before),
        }
        prop_assert!(user.get("userName").and_then(Value::as_str).is_some_and(|name| !name.is_empty()));
    }

    #[test]
    fn the_same_patch_again_changes_nothing(mut user in attributes(), operation in operation(&["replace", "remove", "add"])) {
        let body = json!({"Operations": [operation]});
        let Ok(patch) = parse(&body, &USER_TYPE) else { return Ok(()) };
        if patch.apply(&mut user).is_ok() {
            let once = user.clone();
            if let Ok(outcome) = patch.apply(&mut user) {
                prop_assert!(!outcome.changed, "{} made {:?} of {:?}", body, user, once);
            }
        }
    }

    #[test]
    fn member_deltas_name_nobody_twice(operations in vec(operation(&["add", "remove", "replace"]), 1..6)) {
        if let Ok(patch) = parse(&json!({"Operations": operations}), &GROUP_TYPE) {
            for delta in patch.member_deltas() {
                let ids: Vec<&str> = match delta {
                    usher_scim::MemberDelta::Add(members) | usher_scim::MemberDelta::ReplaceAll(members) => {
                        members.iter().map(|member| member.value.as_str()).collect()
                    }
                    usher_scim::MemberDelta::Remove(ids) => ids.iter().map(String::as_str).collect(),
                    _ => Vec::new(),
                };
                let mut unique = ids.clone();
                unique.sort_unstable();
                unique.dedup();
                prop_assert_eq!(unique.len(), ids.len());
            }
        }
    }
}
