//! An identity provider to read from: Microsoft Graph as the fakes show it, served by this process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde::de::IgnoredAny;
use url::Url;
use usher_fakes::graph::{Graph, Options};
use usher_fakes::{Directory, Faults, IdStyle};
use usher_outbound::{Client, ClientAuthentication, ClientCredentials, Credentials, Dpop};

/// The most members on one page, as Graph has it and as the adapter asks for.
const PAGE: &str = "999";

/// The properties of members that the adapter asks for.
const SELECT: &str = "id,userPrincipalName,mail,displayName,givenName,surname,accountEnabled,userType,externalUserState,employeeId";

/// So many things are changed at once.
pub(crate) const CHANGES: usize = 10;

/// People of one group whom a round of changes needs: three leave, two are renamed, one is disabled.
const TOUCHED: usize = 6;

/// People who are new to the group in a round of changes.
const NEWCOMERS: usize = 4;

/// A provider. It stops when this is dropped.
pub(crate) struct Provider {
    directory: Directory,
    graph: Graph,
    /// The groups, all of them assigned to the application.
    pub(crate) groups: Vec<Arc<str>>,
    people: Vec<Arc<str>>,
    members: usize,
}

/// One page of members.
#[derive(Deserialize)]
struct Page {
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
    value: Vec<IgnoredAny>,
}

impl Provider {
    /// A provider with groups of these sizes. Each group takes the next of `people` people, and begins again with the
    /// first when they are used up.
    pub(crate) async fn start(people: usize, groups: impl IntoIterator<Item = usize>) -> Result<Self> {
        let directory = Directory::new(IdStyle::Guid);
        let people: Vec<Arc<str>> = (0..people)
            .map(|number| directory.add_user(&format!("person.{number:07}@bench.example")))
            .collect();
        let mut next = people.iter().cycle();
        let (mut ids, mut members) = (Vec::new(), 0);
        for size in groups {
            let group = directory.add_group(&format!("Group {}", ids.len()));
            directory.assign(&group, true);
            for person in next.by_ref().take(size) {
                directory.add_member(&group, person);
            }
            members += size;
            ids.push(group);
        }
        let graph = Graph::start(directory.clone(), Options::default(), Faults::none())
            .await
            .context("cannot serve the provider")?;
        Ok(Self {
            directory,
            graph,
            groups: ids,
            people,
            members,
        })
    }

    /// Members of all groups together.
    pub(crate) fn members(&self) -> usize {
        self.members
    }

    /// The table `source.settings` of a source that reads it.
    pub(crate) fn settings(&self) -> String {
        let options = self.graph.options();
        format!(
            "tenant_id = {:?}\nclient_id = {:?}\nclient_secret = {:?}\napplication_id = {:?}\nlogin_url = {url:?}\n\
             graph_url = {url:?}\n",
            options.tenant,
            options.client_id,
            options.secret.unwrap_or_default(),
            options.application_id,
            url = self.graph.url(),
        )
    }

    /// How many requests came since the last call of this.
    pub(crate) fn requests(&self) -> usize {
        let count = self.graph.served().seen().len();
        self.graph.served().forget();
        count
    }

    /// Reads all members as the adapter does, page after page through a client with the same settings, and does nothing
    /// with them.
    pub(crate) async fn drain(&self) -> Result<Duration> {
        let client = self.client()?;
        let start = Instant::now();
        let mut seen = 0;
        for group in &self.groups {
            let first = format!(
                "{}/v1.0/groups/{group}/members?$select={SELECT}&$top={PAGE}",
                self.graph.url()
            );
            let mut link = Some(first);
            while let Some(url) = link.take() {
                let page: Page = client.follow("drain", &url)?.send().await?.json()?;
                seen += page.value.len();
                link = page.next;
            }
        }
        let elapsed = start.elapsed();
        if seen != self.members {
            bail!("the provider shows {seen} members in place of {}", self.members);
        }
        Ok(elapsed)
    }

    /// How many rounds of changes a group of this size stands.
    pub(crate) const fn newcomers(rounds: usize) -> usize {
        rounds * NEWCOMERS
    }

    /// Ten changes in the first group: four people come, three leave, two are renamed, one is disabled. Those who come are
    /// the last of all people; each round is about others.
    pub(crate) fn change(&self, round: usize) {
        let group = &self.groups[0];
        let come = self.people.iter().rev().skip(round * NEWCOMERS);
        for person in come.take(NEWCOMERS) {
            self.directory.add_member(group, person);
        }
        let touched: Vec<&Arc<str>> = self.people.iter().skip(round * TOUCHED).take(TOUCHED).collect();
        let (leave, stay) = touched.split_at(3);
        for person in leave {
            self.directory.remove_member(group, person);
        }
        let (renamed, disabled) = stay.split_at(2);
        for person in renamed {
            self.directory
                .edit_user(person, |user| user.given_name = format!("Given{round}"));
        }
        for person in disabled {
            self.directory.enable(person, false);
        }
    }

    fn client(&self) -> Result<Client> {
        let options = self.graph.options();
        let root = Url::parse(self.graph.url()).context("the provider has no URL")?;
        let token_url = root.join(&format!("{}/oauth2/v2.0/token", options.tenant))?;
        let credentials = ClientCredentials {
            token_url,
            client_id: options.client_id,
            scopes: vec![format!("{}/.default", self.graph.url())],
            authentication: ClientAuthentication::SecretInBody(options.secret.unwrap_or_default().into()),
            dpop: Dpop::Never,
        };
        Ok(Client::builder(vec![root])
            .credentials(Credentials::OAuth(credentials))
            .build()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_is_drained_and_a_round_makes_ten_changes() {
        let provider = Provider::start(1_100 + Provider::newcomers(2), [1_000, 100])
            .await
            .unwrap();
        provider.drain().await.unwrap();
        // A token, two pages of the first group, one of the second.
        assert_eq!(provider.requests(), 4);
        for round in 0..2 {
            let before = provider.directory.sequence();
            provider.change(round);
            assert_eq!(provider.directory.sequence() - before, CHANGES as u64);
        }
        let group = provider.directory.group(&provider.groups[0]).unwrap();
        assert_eq!(group.users.len(), 1_002);
    }
}
