//! A deployment with everybody at their place: the identity provider's client, and people at their desks.

use serde_json::{Value, json};

use super::{Client, Config, Desk, Order, Room, Scim2, Server, World};

/// What the stories happen on.
pub struct Stage {
    /// The deployment.
    pub world: World,
    /// The running server.
    pub server: Server,
    /// The identity provider: scim2-client.
    pub idp: Scim2,
    /// The people.
    pub desk: Desk,
}

impl Stage {
    /// With the usual config; `None` where Python was left out by name.
    pub async fn new() -> Option<Self> {
        Self::with(&Config::default()).await
    }

    /// With this config.
    pub async fn with(config: &Config) -> Option<Self> {
        super::python()?;
        let world = World::with(config);
        let server = world.serve().await;
        let idp = world.scim2(&server, "idp")?;
        let desk = world.desk(&server);
        Some(Self {
            world,
            server,
            idp,
            desk,
        })
    }

    /// A plain SCIM client for what a well-behaved one does not send.
    pub fn scim(&self) -> Client {
        self.world.scim(&self.server, "idp")
    }

    /// A room in use: Ada administers it, and these people came by the group.
    pub async fn live_room(&mut self, people: &[&str]) -> (Room, Crowd) {
        self.live_room_with(people, &json!({})).await
    }

    /// As [`Self::live_room`], the order accepted with these terms.
    pub async fn live_room_with(&mut self, people: &[&str], terms: &Value) -> (Room, Crowd) {
        let room = self.desk.open_with(&Order::default(), terms).await;
        let ada = self.idp.create_user("ada@contoso.com");
        let users: Vec<String> = people.iter().map(|name| self.idp.create_user(name)).collect();
        let mut members: Vec<&str> = vec![&ada];
        members.extend(users.iter().map(String::as_str));
        let group = self.idp.create_group("Board members", &members);
        assert_eq!(self.desk.state(&room.order).await, "live");
        assert_eq!(self.desk.inside(&room.id).await.len(), members.len());
        (room, Crowd { group, ada, users })
    }
}

/// Who came into a room by its group: ids of the identity provider.
#[derive(Clone, Debug)]
pub struct Crowd {
    /// The group.
    pub group: String,
    /// The administrator.
    pub ada: String,
    /// The others, in the order of their names' mention.
    pub users: Vec<String>,
}
