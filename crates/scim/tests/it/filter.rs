//! The filter language: what parses, what it means, and what is refused.

use serde_json::{Value, json};
use usher_scim::filter::FilterLimits;
use usher_scim::schema::USER_TYPE;
use usher_scim::{Attributes, Filter, ScimType};

use crate::support::{ENTERPRISE, object};

fn ann() -> Attributes {
    object(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "id": "u1", "externalId": "E-1", "userName": "Ann@contoso.com", "title": "", "active": true,
        "name": {"familyName": "Lee", "givenName": "Ann"},
        "emails": [
            {"value": "ann@contoso.com", "type": "work", "primary": true},
            {"value": "ann@home.example", "type": "home"}
        ],
        "roles": [{"value": "auditor"}], "shoeSize": 43, "Badge": "x7", "quote": "say \"and\" or ]",
        "meta": {"resourceType": "User", "created": "2026-01-31T08:00:00Z", "lastModified": "2026-02-01T08:00:00Z"},
        (ENTERPRISE): {"department": "IT", "manager": {"value": "u2"}}, "urn:example:2.0:User": {"tag": "t"}
    }))
}

#[test]
fn filters_mean_what_the_rfc_says() {
    let cases = [
        ("userName eq \"ann@CONTOSO.com\"", true),
        ("USERNAME EQ \"ann@contoso.com\"", true),
        ("userName eq \"ann\"", false),
        ("externalId eq \"e-1\"", false),
        ("externalId eq E-1", true),
        ("userName ne \"bob\"", true),
        ("nickName ne \"bob\"", true),
        ("nickName eq null", true),
        ("title eq null", true),
        ("userName eq null", false),
        ("title pr", false),
        ("name pr", true),
        ("nickName pr", false),
        ("emails pr", true),
        ("name.familyName co \"E\"", true),
        ("name.familyName sw \"le\"", true),
        ("name.familyName ew \"EE\"", true),
        ("name.familyName gt \"La\"", true),
        ("name.familyName lt \"La\"", false),
        ("meta.created lt \"2026-01-31T10:00:00+01:00\"", true),
        ("meta.created ge \"2026-01-31T08:00:00.000Z\"", true),
        ("meta.created eq \"2026-01-31T09:00:00+01:00\"", true),
        ("emails eq \"ann@home.example\"", true),
        ("emails.type eq \"work\" and emails.value co \"home\"", true),
        ("emails[type eq \"work\" and value co \"home\"]", false),
        ("emails[type eq \"work\" and value co \"contoso\"]", true),
        ("emails[type eq \"work\"].value eq \"ANN@contoso.com\"", true),
        ("emails[type eq \"work\"].value eq \"ann@home.example\"", false),
        ("emails[type eq \"work\"]", true),
        ("emails[not (type eq \"work\")]", true),
        ("emails[type eq \"fax\" or primary eq true]", true),
        ("emails[primary eq \"True\"]", true),
        ("emails.value ne \"ann@home.example\"", false),
        ("not(userName eq \"x\")", true),
        ("not (userName eq \"x\") and active eq true", true),
        ("active eq \"True\"", true),
        ("active eq false or userName sw \"ann\"", true),
        ("userName eq \"x\" and active eq true or id eq \"u1\"", true),
        ("userName eq \"x\" and (active eq true or id eq \"u1\")", false),
        ("shoeSize gt 42.5", true),
        ("shoeSize eq 43", true),
        ("shoeSize eq \"43\"", true),
        ("badge eq \"X7\"", true),
        ("quote co \"\\\"and\\\" or ]\"", true),
        ("quote eq \"say \\u0022and\\u0022 or ]\"", true),
        ("manager eq u2", true),
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq \"it\"",
            true,
        ),
        (
            "urn:ietf:params:scim:schemas:core:2.0:User:userName sw \"ANN\"",
            true,
        ),
        ("urn:example:2.0:User:tag eq \"t\"", true),
        (
            "urn:ietf:params:scim:schemas:core:2.0:Group:displayName pr",
            false,
        ),
        ("schemas eq \"urn:ietf:params:scim:schemas:core:2.0:User\"", true),
        ("meta.resourceType eq \"User\"", true),
        ("not pr", false),
    ];
    let ann = ann();
    for (text, expected) in cases {
        let filter: Filter = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        filter
            .check(&USER_TYPE)
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(filter.matches(&ann, &USER_TYPE), expected, "{text}");
    }
}

#[test]
fn a_user_that_does_not_say_is_active() {
    let silent = object(json!({"userName": "a"}));
    for (text, expected) in [
        ("active eq true", true),
        ("active eq false", false),
        ("active ne true", false),
    ] {
        assert_eq!(
            text.parse::<Filter>().expect(text).matches(&silent, &USER_TYPE),
            expected,
            "{text}"
        );
    }
}

#[test]
fn a_plan_selects_what_the_filter_matches() {
    let ann = ann();
    for text in [
        "userName eq \"ANN@contoso.com\" and title pr",
        "id eq \"u1\" and name.familyName eq \"lee\"",
    ] {
        let filter: Filter = text.parse().expect(text);
        let residual = filter
            .lookup(&USER_TYPE)
            .expect(text)
            .residual
            .expect("not all of it is indexed");
        assert_eq!(
            residual.matches(&ann, &USER_TYPE),
            filter.matches(&ann, &USER_TYPE),
            "{text}"
        );
    }
}

#[test]
fn malformed_filters_are_refused_at_their_fault() {
    let cases = [
        ("", "byte 1: expected an attribute name"),
        ("userName", "byte 9: expected a space and an operator"),
        ("userName eq", "byte 12: expected a space and a value"),
        ("userName eq ", "byte 13: expected a value"),
        ("userName is \"x\"", "byte 10: expected an operator"),
        (
            "userName eq \"x",
            "byte 13: expected text that ends with a double quote",
        ),
        ("userName eq 'x'", "byte 13: expected text in double quotes"),
        (
            "userName eq \"\\x\"",
            "byte 13: expected text with valid JSON escapes",
        ),
        (
            "userName eq \"x\" title pr",
            "byte 17: expected 'and', 'or' or the end",
        ),
        (
            "userName eq \"x\" and",
            "byte 17: expected 'and', 'or' or the end",
        ),
        ("userName eq \"x\" and ", "byte 21: expected an attribute name"),
        (
            "(userName eq \"x\"",
            "byte 17: expected ')' for the bracket opened at byte 1",
        ),
        ("userName eq \"x\")", "byte 16: expected 'and', 'or' or the end"),
        (
            "emails[type eq \"work\"",
            "byte 22: expected ']' for the bracket opened at byte 7",
        ),
        ("emails[type eq \"work\"].", "byte 24: expected a sub-attribute"),
        ("emails[a[b pr]]", "byte 9: expected no brackets inside brackets"),
        (
            "emails.value[type pr]",
            "byte 13: expected brackets behind an attribute",
        ),
        ("1name eq \"x\"", "byte 1: expected an attribute name"),
        ("not userName eq \"x\"", "byte 5: expected an operator"),
        ("and eq", "byte 7: expected a space and a value"),
        (
            "userName eq \"x\" ; drop",
            "byte 17: expected 'and', 'or' or the end",
        ),
    ];
    for (text, expected) in cases {
        let error = text.parse::<Filter>().expect_err(text);
        assert!(
            error.detail.contains(expected),
            "{text}: {} lacks: {expected}",
            error.detail
        );
        assert_eq!(error.status, 400, "{text}");
    }
}

#[test]
fn limits_hold() {
    let nested = format!("{}a pr{}", "(".repeat(32), ")".repeat(32));
    assert!(nested.parse::<Filter>().is_ok());
    let many = |terms: usize| vec!["a pr"; terms].join(" or ");
    assert!(many(100).parse::<Filter>().is_ok());
    for text in [
        format!("({nested})"),
        format!("{}a pr{}", "not (".repeat(33), ")".repeat(33)),
        "(".repeat(8000),
        many(101),
        format!("a eq \"{}\"", "x".repeat(8192)),
    ] {
        let error = text.parse::<Filter>().expect_err("over a limit");
        assert_eq!(error.scim_type, Some(ScimType::InvalidFilter));
        assert!(error.detail.len() < 200, "the filter is not repeated");
    }
    let tight = FilterLimits {
        length: 10,
        depth: 1,
        terms: 1,
    };
    assert!(Filter::parse("userName pr", &tight).is_err());
}

#[test]
fn a_filter_prints_in_canonical_form() {
    for (text, printed) in [
        ("USERname EQ bob", "USERname eq \"bob\""),
        ("not(a pr)", "not (a pr)"),
        (
            "(a pr and (b pr and c pr)) or d pr",
            "a pr and b pr and c pr or d pr",
        ),
        ("a pr and (b pr or c pr)", "a pr and (b pr or c pr)"),
        (
            "e[type eq \"work\"].value sw \"x\"",
            "e[type eq \"work\" and value sw \"x\"]",
        ),
        ("n gt 1.50e2", "n gt 1.50e2"),
        ("a eq TRUE or b eq null", "a eq true or b eq null"),
    ] {
        assert_eq!(text.parse::<Filter>().expect(text).to_string(), printed);
    }
    assert!(
        "members[value eq \"x\"]"
            .parse::<Filter>()
            .expect("a filter")
            .mentions("MEMBERS")
    );
    assert_eq!(Value::from("x"), json!("x"));
}
