//! Files that people choose in forms, with names that would lead elsewhere.

use std::path::Path;

use http::{Request, header};
use serde_json::json;

use super::{Browser, administrator};
use crate::api::Api;
use crate::world::World;

const BOUNDARY: &str = "a-line-between-parts";

/// A form with the values of a session and one file.
fn with_file(csrf: &str, field: &str, file_name: &str, media_type: &str, file: &str) -> String {
    format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{csrf}\r\n\
         --{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{file_name}\"\r\n\
         Content-Type: {media_type}\r\n\r\n{file}\r\n--{BOUNDARY}--\r\n"
    )
}

#[tokio::test]
async fn the_name_of_a_file_leads_nowhere_and_its_type_is_not_believed() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    let order = json!({
        "room_name": "Board", "administrator": "ada@contoso.com", "group": "Board", "expected": 5, "source": "idp",
        "customer": "Contoso AG", "requester": "rita@contoso.com",
    });
    let order = api.post("/orders", &order).await.expect(201).id();
    let password = administrator(&world).await;
    let mut browser = Browser::new(&world);
    browser.sign_in_with(&password).await.expect(303);
    let csrf = browser.csrf().await;

    let unique = format!("usher-uploaded-{order}.svg");
    let absolute = std::env::temp_dir().join(&unique).display().to_string();
    let names = [
        format!("../{unique}"),
        format!("../../../../../../../..{absolute}"),
        absolute.clone(),
        format!("file://{absolute}"),
        format!("..\\..\\{unique}"),
        format!("%2e%2e%2f{unique}"),
        format!("{unique}%00.png"),
        "/etc/passwd".to_owned(),
        "../usher.db".to_owned(),
        "con".to_owned(),
        String::new(),
        "n".repeat(5_000),
    ];
    let path = format!("/orders/{order}/logo");
    for (number, name) in names.iter().enumerate() {
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\"><rect width=\"{number}\" height=\"9\"/></svg>"
        );
        let request = Request::post(&path)
            .header("sec-fetch-site", "same-origin")
            .header(
                header::CONTENT_TYPE,
                format!("multipart/form-data; boundary={BOUNDARY}"),
            );
        let body = with_file(&csrf, "logo", name, "text/html", &svg);
        browser.send(request, body).await.expect(303);
        let kept = browser.get(&path).await.expect(200);
        assert_eq!(kept.header(header::CONTENT_TYPE), "image/svg+xml", "{name}");
        let shown = String::from_utf8_lossy(&kept.body).into_owned();
        assert!(shown.contains(&format!("width=\"{number}\"")), "{name}: {shown}");
    }
    for place in [
        Path::new(&absolute),
        Path::new(&unique),
        &Path::new("..").join(&unique),
        &Path::new("../..").join(&unique),
    ] {
        assert!(!place.exists(), "{} was written", place.display());
    }
    assert_eq!(
        api.get(&format!("/orders/{order}")).await.body["room_name"],
        "Board"
    );
}

#[tokio::test]
async fn a_path_leads_out_of_no_folder() {
    let world = World::new().await;
    let password = administrator(&world).await;
    let mut browser = Browser::new(&world);
    browser.sign_in_with(&password).await.expect(303);
    for path in [
        "/assets/../Cargo.toml",
        "/assets/..%2fCargo.toml",
        "/assets/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/assets/%2e%2e/%2e%2e/etc/passwd",
        "/assets/....//etc/passwd",
        "/assets/usher.db",
        "/assets/%00",
        "/orders/..%2f..%2fusher.db/logo",
        "/sources/..%2f..%2fusher.db",
        "/rooms/..%2fholds/members.csv",
    ] {
        let answer = browser.get(path).await;
        assert!(
            matches!(answer.status.as_u16(), 400 | 404),
            "{path}: {}",
            answer.status
        );
    }
}
