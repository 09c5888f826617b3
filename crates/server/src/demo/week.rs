//! What happens in the week.

use std::time::Duration;

use reqwest::Client;
use serde_json::json;
use usher_core::{Role, SourceName, Timestamp};
use usher_engine::{Actor, Cause, Engine};
use usher_fakes::push::{Dialect, EntraClient, EntraOptions, ExternalIdSource, GuestName};

use super::company::Company;
use super::desk::{Desk, Wish};
use super::{Demo, DemoError, SOURCE};
use crate::access::{Purpose, TokenRequest, issue_token, revoke_token};

/// The number of the person who orders rooms.
const REQUESTER: usize = 17;
/// The number of the person who leaves the board and comes back.
const BACK: usize = 3;

pub(super) async fn live(demo: &Demo, engine: &Engine, address: &str) -> Result<(), DemoError> {
    let company = Company::new(&demo.directory);
    let http = Client::builder()
        .no_proxy()
        .build()
        .map_err(|error| DemoError::new("make a client", error))?;
    let mut tokens = Tokens {
        engine,
        made: Vec::new(),
    };
    let source: SourceName = SOURCE.parse().expect("the name is valid");
    let pushing = tokens.make(Purpose::Source(source), None).await?;
    let desk = Desk {
        http,
        root: format!("{address}/api/v1"),
        it: tokens.make(Purpose::Role(Role::It), Some("Customer IT")).await?,
        support: tokens
            .make(Purpose::Role(Role::Support), Some("Portal support"))
            .await?,
        portal: tokens.make(Purpose::Role(Role::App), Some("Portal")).await?,
    };
    let options = EntraOptions {
        dialect: Dialect::Compliant,
        external_id: ExternalIdSource::ObjectId,
        guest_name: GuestName::Original,
        member_batch: 20,
        ..EntraOptions::default()
    };
    let base = format!("{address}/scim/{SOURCE}/v2");
    let entra = EntraClient::new(&demo.directory, &base, &pushing, options);
    let mut week = Week {
        demo,
        company,
        desk,
        entra,
    };
    week.rooms_begin().await?;
    week.people_come_and_go().await?;
    week.today(engine.now()).await?;
    demo.clock.forward_to(Duration::ZERO);
    tokens.revoke().await
}

struct Week<'d> {
    demo: &'d Demo,
    company: Company,
    desk: Desk,
    entra: EntraClient,
}

impl Week<'_> {
    /// It is so long ago now.
    fn ago(&self, days: u64, hours: u64, minutes: u64) {
        let seconds = ((days * 24 + hours) * 60 + minutes) * 60;
        self.demo.clock.forward_to(Duration::from_secs(seconds));
    }

    /// A cycle of Entra's provisioning service.
    async fn push(&mut self) -> Result<(), DemoError> {
        let report = self.entra.cycle().await;
        match report.is_clean() {
            true => Ok(()),
            false => Err(DemoError::new("push", format!("{report:?}"))),
        }
    }

    fn wish<'a>(&self, room: &'a str, group: &'a str, administrator: usize, expected: u32) -> Wish<'a> {
        Wish {
            room,
            group,
            administrator: self.company.address(administrator),
            requester: self.company.address(REQUESTER),
            expected,
        }
    }

    /// From an order to a room in use; the room.
    async fn room(
        &mut self,
        day: u64,
        (name, group): (&str, &str),
        administrator: usize,
        expected: u32,
    ) -> Result<String, DemoError> {
        self.ago(day, 9, 10);
        let order = self
            .desk
            .order(&self.wish(name, group, administrator, expected))
            .await?;
        self.ago(day, 7, 30);
        let ordered = self.desk.prepare(&order).await?;
        self.ago(day, 6, 50);
        self.desk.confirm(&ordered.order).await?;
        self.ago(day, 5, 0);
        self.company.directory.assign(group, true);
        self.push().await?;
        Ok(ordered.room)
    }

    /// Three rooms are ordered, prepared and filled.
    async fn rooms_begin(&mut self) -> Result<(), DemoError> {
        self.ago(7, 12, 0);
        self.push().await?;
        let (board, executives, falcon) = (
            self.company.board.clone(),
            self.company.executives.clone(),
            self.company.falcon.clone(),
        );
        let room = self.room(6, ("Supervisory Board", &board), 0, 10).await?;
        self.ago(6, 2, 20);
        let daniel = self.company.address(BACK);
        let membership = self.desk.membership(&room, &daniel).await?;
        for (kind, reference, label) in [
            ("meeting", "2026-q4", "Meeting of the fourth quarter"),
            ("task", "annual-report", "Review of the annual report"),
            ("document", "risk-register", "Risk register, personal notes"),
        ] {
            self.desk.grant(&membership, kind, reference, label).await?;
        }
        self.room(5, ("Executive Committee", &executives), 4, 20).await?;
        self.room(4, ("Project Falcon", &falcon), 9, 5).await?;
        Ok(())
    }

    /// Somebody leaves and comes back, a group comes too early, a last administrator is removed.
    async fn people_come_and_go(&mut self) -> Result<(), DemoError> {
        self.ago(3, 4, 0);
        let (board, falcon, audit) = (
            self.company.board.clone(),
            self.company.falcon.clone(),
            self.company.audit.clone(),
        );
        self.company.remove(&board, BACK);
        self.push().await?;

        self.ago(2, 12, 0);
        self.company.directory.assign(&audit, true);
        self.push().await?;
        self.ago(2, 3, 0);
        let order = self
            .desk
            .order(&self.wish("Audit Committee", &audit, 18, 8))
            .await?;
        self.ago(2, 1, 0);
        self.desk.prepare(&order).await?;

        self.ago(1, 20, 0);
        self.company.remove(&falcon, 9);
        self.push().await?;

        self.ago(1, 2, 0);
        self.company.add(&board, BACK);
        self.push().await
    }

    /// A guest, an adviser by hand, a new order, and a removal that is too large to be meant.
    async fn today(&mut self, now: Timestamp) -> Result<(), DemoError> {
        let executives = self.company.executives.clone();
        self.ago(0, 22, 0);
        self.company.invite(&executives);
        self.push().await?;

        self.ago(0, 20, 0);
        let until = now.plus(Duration::from_secs(60 * 24 * 3600));
        let adviser = json!({
            "person": "sigrid.holm@advisers.example", "name": "Sigrid Holm", "level": "guest",
            "owner": self.company.address(0), "until": until,
            "reason": "adviser for the annual accounts",
        });
        self.desk
            .post(&self.desk.support, "/rooms/Supervisory%20Board/members", adviser)
            .await?;

        self.ago(0, 3, 0);
        let pension = self.company.pension.clone();
        self.desk
            .order(&self.wish("Pension Fund", &pension, 24, 6))
            .await?;

        self.ago(0, 0, 40);
        for number in 6..18 {
            self.company.remove(&executives, number);
        }
        self.push().await
    }
}

/// Tokens for the time of the week.
struct Tokens<'e> {
    engine: &'e Engine,
    made: Vec<usher_core::TokenId>,
}

impl Tokens<'_> {
    /// A token. The provider's stays; people's are revoked when the week is over.
    async fn make(&mut self, purpose: Purpose, whose: Option<&str>) -> Result<String, DemoError> {
        let request = TokenRequest {
            purpose,
            label: whose.unwrap_or("Entra provisioning").to_owned(),
            subject: None,
            expires_in: None,
        };
        let issued = issue_token(self.engine, cause(), request)
            .await
            .map_err(|error| DemoError::new("make a token", error))?;
        if whose.is_some() {
            self.made.push(issued.id);
        }
        Ok(issued.token)
    }

    async fn revoke(self) -> Result<(), DemoError> {
        for id in self.made {
            revoke_token(self.engine, cause(), id)
                .await
                .map_err(|error| DemoError::new("revoke a token", error))?;
        }
        Ok(())
    }
}

fn cause() -> Cause {
    Cause::new(Actor::Usher("demo".into()))
}
