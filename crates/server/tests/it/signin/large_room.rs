//! A room with more members than a page shows.

use std::collections::BTreeSet;

use super::{Browser, administrator};
use crate::api::Api;
use crate::world::World;

/// As many as come into a room for which a hundred were expected, and more than a page has rows.
const PEOPLE: usize = 105;

/// The people named on a page, and where its next page is.
fn read(page: &[u8]) -> (BTreeSet<String>, Option<String>) {
    let page = String::from_utf8_lossy(page);
    let names = page
        .split("@contoso.com")
        .filter_map(|before| before.rsplit(|c: char| !c.is_ascii_alphanumeric()).next())
        .filter(|name| name.starts_with("member"))
        .map(str::to_owned)
        .collect();
    let next = page.split("<a ").find(|link| link.contains("rel=\"next\""));
    let next = next.and_then(|link| link.split("href=\"").nth(1)?.split('"').next());
    (
        names,
        next.map(|path| path.replace("&amp;", "&").replace("&#38;", "&")),
    )
}

#[tokio::test]
async fn a_large_room_is_shown_a_page_at_a_time() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    let mut ids = Vec::new();
    for number in 0..PEOPLE {
        ids.push(world.user(&format!("member{number:03}")).await);
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    world.group("Board", &ids).await;
    api.room("Board").await;
    let room = api.get("/rooms/Board").await.expect(200).id();
    let password = administrator(&world).await;
    let mut browser = Browser::new(&world);
    browser.sign_in_with(&password).await.expect(303);

    let mut seen = BTreeSet::new();
    let mut pages = 0;
    let mut path = Some(format!("/rooms/{room}"));
    while let Some(at) = path {
        let (names, next) = read(&browser.get(&at).await.expect(200).body);
        assert!(names.len() <= 100, "{} people on {at}", names.len());
        assert!(seen.is_disjoint(&names), "somebody is on two pages");
        seen.extend(names);
        pages += 1;
        path = next;
    }
    assert_eq!(seen.len(), PEOPLE);
    assert!(pages >= 2);
}
