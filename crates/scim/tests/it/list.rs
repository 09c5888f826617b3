//! Queries and their answers.

use serde_json::json;
use usher_scim::filter::FilterLimits;
use usher_scim::list::{ListResponse, Page, decode_query};
use usher_scim::sort::SortOrder;
use usher_scim::{ListQuery, ScimError, ScimType};

use crate::support::{object, refusal};

fn query(text: &str) -> Result<ListQuery, ScimError> {
    let pairs = decode_query(text)?;
    ListQuery::from_pairs(
        pairs.iter().map(|(name, value)| (&**name, &**value)),
        &FilterLimits::default(),
    )
}

#[test]
fn urls_are_read_as_clients_write_them() {
    for text in [
        "filter=userName+eq+%22a%2Bb%40x.example%22",
        "filter=userName%20eq%20\"a%2Bb@x.example\"",
        "aadOptscim062020&filter=userName+eq+%22a%2Bb@x.example%22&",
        "&&FILTER=userName eq \"a%2Bb@x.example\"&count=&x=1",
    ] {
        let query = query(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let filter = query.filter.map(|filter| filter.to_string());
        assert_eq!(filter.as_deref(), Some("userName eq \"a+b@x.example\""), "{text}");
        assert_eq!((query.page, query.count), (Page::Index(1), None));
    }
}

#[test]
fn pages_are_clamped() {
    for (text, page, count) in [
        ("startIndex=1&count=100", Page::Index(1), Some(100)),
        ("startIndex=0&count=0", Page::Index(1), Some(0)),
        ("startIndex=-7&count=-1", Page::Index(1), Some(0)),
        ("startIndex=101", Page::Index(101), None),
        ("cursor", Page::FirstCursor, None),
        ("cursor=&count=5", Page::FirstCursor, Some(5)),
        ("cursor=abc_-1", Page::Cursor("abc_-1".into()), None),
    ] {
        let query = query(text).expect(text);
        assert_eq!((query.page, query.count), (page, count), "{text}");
    }
    assert_eq!(query("count=500").expect("a query").page_size(100, 200), 200);
    assert_eq!(query("").expect("a query").page_size(100, 200), 100);
    assert_eq!(query("count=0").expect("a query").page_size(100, 200), 0);
}

#[test]
fn malformed_parameters_are_refused() {
    use ScimType::{InvalidCount, InvalidFilter, InvalidValue};
    for (text, expected) in [
        ("startIndex=first", InvalidValue),
        ("count=1.5", InvalidValue),
        ("count=99999999999999999999999", InvalidValue),
        ("cursor=x&count=many", InvalidCount),
        ("cursor=x&startIndex=1", InvalidValue),
        ("sortBy=a b", InvalidValue),
        ("sortBy=userName&sortOrder=up", InvalidValue),
        ("attributes=na me", InvalidValue),
        ("filter=userName", InvalidFilter),
        ("filter=%zz", InvalidValue),
        ("filter=%ff", InvalidValue),
        ("filter=%4", InvalidValue),
    ] {
        assert_eq!(refusal(query(text), &json!(text)), expected, "{text}");
    }
}

#[test]
fn a_search_body_says_the_same_as_a_url() {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "attributes": ["displayName", "userName"], "filter": "displayName sw \"smith\"", "sortBy": "userName",
        "sortOrder": "descending", "startIndex": 1, "count": 10
    });
    let by_body = ListQuery::from_search(body, &FilterLimits::default()).expect("a search");
    let by_url = query(
        "attributes=displayName,userName&filter=displayName sw \"smith\"&sortBy=userName&sortOrder=Descending&startIndex=1&count=10",
    );
    assert_eq!(by_body, by_url.expect("a query"));
    assert_eq!(by_body.sort.map(|sort| sort.order), Some(SortOrder::Descending));
    for body in [
        json!([]),
        json!({"filter": 5}),
        json!({"count": true}),
        json!({"attributes": [5]}),
        json!({"cursor": 1}),
    ] {
        let result = ListQuery::from_search(body.clone(), &FilterLimits::default());
        assert_eq!(refusal(result, &body), ScimType::InvalidSyntax, "{body}");
    }
}

#[test]
fn a_digest_is_of_the_query_and_not_of_the_page() {
    let digest = |text: &str| query(text).expect(text).digest();
    assert_eq!(
        digest("filter=a pr&cursor&count=5"),
        digest("cursor=x&count=9&filter=(a+PR)")
    );
    assert_ne!(digest("filter=a pr"), digest("filter=b pr"));
    assert_ne!(digest("filter=a pr"), digest("filter=a pr&sortBy=a"));
    assert_ne!(digest("attributes=a"), digest("excludedAttributes=a"));
}

#[test]
fn a_page_counts_what_it_holds() {
    let page = ListResponse::indexed(3, 3, vec![object(json!({"id": "u3"}))]).to_json();
    assert_eq!(
        page,
        json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": 3, "startIndex": 3,
            "itemsPerPage": 1, "Resources": [{"id": "u3"}]
        })
    );
    let past_the_end = ListResponse::indexed(2, 101, Vec::new()).to_json();
    assert_eq!(
        (&past_the_end["itemsPerPage"], &past_the_end["Resources"]),
        (&json!(0), &json!([]))
    );
    let first = ListResponse::by_cursor(None, Vec::new(), Some("abc".into())).to_json();
    assert_eq!(first["nextCursor"], "abc");
    assert!(first.get("startIndex").is_none() && first.get("totalResults").is_none());
}
