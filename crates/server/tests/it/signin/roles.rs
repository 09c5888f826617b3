//! Every page and every form, with every role and with none.

use usher_console::PAGES;
use usher_core::Role;

use super::{Browser, person, with_provider};

/// A path of the table with something in the place of its parts that is not there.
fn filled(path: &str) -> String {
    let parts = path.split('/').map(|part| match part.starts_with('{') {
        true => "018f6b1e-7d2a-7c44-9f0e-3a5b6c7d8e9f",
        false => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

const ROLES: [(&str, Role); 5] = [
    ("readers", Role::Viewer),
    ("requesters", Role::Requester),
    ("it", Role::It),
    ("support", Role::Support),
    ("admins", Role::Admin),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_page_is_for_the_roles_of_the_table() {
    let (world, provider) = with_provider("").await;
    for (value, role) in ROLES {
        provider.says(person(value));
        let mut browser = Browser::new(&world);
        browser.sign_in().await.expect(303);
        let csrf = browser.csrf().await;
        for (method, path, roles) in PAGES.iter().filter(|(_, path, _)| *path != "/live") {
            let answer = match *method {
                "GET" => browser.get(&filled(path)).await,
                _ => browser.post(&filled(path), &[("csrf", csrf.as_str())]).await,
            };
            let status = answer.status.as_u16();
            if roles.contains(&role) {
                assert!(
                    !matches!(status, 401 | 403 | 405) && status < 500,
                    "{role} {method} {path}: {status}"
                );
            } else {
                assert_eq!(status, 403, "{role} {method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn nobody_sees_or_sends_anything_without_a_session() {
    let (world, _provider) = with_provider("").await;
    for (method, path, _) in PAGES {
        let mut browser = Browser::new(&world);
        let answer = match *method {
            "GET" => browser.get(&filled(path)).await,
            _ => browser.post(&filled(path), &[]).await,
        };
        assert_eq!(answer.status, 303, "{method} {path}");
        assert!(
            answer.header("location").starts_with("/sign-in"),
            "{method} {path}"
        );
    }
}

/// The API takes tokens alone. So no page of another site can use it with somebody's cookie, and no role of a session counts
/// there.
#[tokio::test]
async fn a_session_opens_no_part_of_the_api() {
    let (world, _provider) = with_provider("").await;
    let mut browser = Browser::new(&world);
    browser.sign_in().await.expect(303);
    let document = world
        .send(
            http::Request::get("/api/v1/openapi.json")
                .body(axum::body::Body::empty())
                .expect("a request"),
        )
        .await;
    let document = document.expect(200).json();
    let paths = document["paths"].as_object().expect("paths");
    let mut asked = 0;
    for (path, methods) in paths {
        for method in methods.as_object().expect("methods").keys() {
            let uri = filled(path);
            let uri = if uri.starts_with("/api/") {
                uri
            } else {
                format!("/api/v1{uri}")
            };
            let request = http::Request::builder()
                .method(method.to_uppercase().as_str())
                .uri(&uri)
                .header("sec-fetch-site", "same-origin");
            let answer = browser.send(request, String::new()).await;
            assert_eq!(answer.status, 401, "{method} {uri}");
            asked += 1;
        }
    }
    assert!(asked > 100, "only {asked} routes");
}

#[tokio::test]
async fn where_nothing_is_nothing_is_said_to_be() {
    let (world, _provider) = with_provider("").await;
    for (method, path) in [
        ("GET", "/scm/idp/v2/Users"),
        ("POST", "/Users"),
        ("GET", "/nothing"),
    ] {
        let mut browser = Browser::new(&world);
        let answer = browser
            .send(http::Request::builder().method(method).uri(path), String::new())
            .await;
        assert_eq!(answer.status, 404, "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_form_is_taken_without_the_value_of_its_session() {
    let (world, _provider) = with_provider("").await;
    let mut browser = Browser::new(&world);
    browser.sign_in().await.expect(303);
    let csrf = browser.csrf().await;
    let mut other = Browser::new(&world);
    other.sign_in().await.expect(303);
    let others = other.csrf().await;
    assert_ne!(csrf, others);
    for (method, path, _) in PAGES.iter().filter(|(method, ..)| *method != "GET") {
        let path = filled(path);
        for fields in [vec![], vec![("csrf", "")], vec![("csrf", others.as_str())]] {
            let answer = browser.post(&path, &fields).await;
            assert_eq!(answer.status, 403, "{method} {path} {fields:?}");
        }
        let request = http::Request::post(&path).header("sec-fetch-site", "cross-site");
        let answer = browser.send(request, super::form(&[("csrf", &csrf)])).await;
        assert_eq!(answer.status, 403, "{method} {path} from another site");
    }
}
