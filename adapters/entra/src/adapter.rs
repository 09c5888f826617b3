//! The trait for Microsoft Entra ID.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use usher_core::{
    AdapterDescription, AdapterError, Capabilities, ChangeSink, CheckReport, GroupQuery, GroupSummary, Mode,
    ProvisioningAdapter, PushProfile, ReadOutcome, ReadRequest, ReadScope, RemoteGroupId, WantedGroup,
};
use usher_outbound::{Client, Patience};

use crate::checkpoint::{MOST_FILTERED, Progress, Stream};
use crate::client::{Consistency, Found, Graph, guid};
use crate::complete::Coverage;
use crate::config::{EntraConfig, PullConfig};
use crate::delta::Followed;
use crate::pages::Trail;
use crate::wire::{Identified, Page};
use crate::{KIND, check, record};

/// How long one request may take up to the end of its answer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// So many more streams than needed are borne before all groups are put into new ones.
const SPARE_STREAMS: usize = 4;

/// Microsoft Entra ID: pushes over SCIM, and is read over Microsoft Graph where that is configured.
#[derive(Debug)]
pub struct EntraAdapter {
    profile: PushProfile,
    pull: Option<Pull>,
}

/// What reading works with.
#[derive(Debug)]
pub(crate) struct Pull {
    pub(crate) graph: Graph,
    /// The tenant as configured.
    pub(crate) tenant: String,
    /// The enterprise application to which groups are assigned.
    pub(crate) application: Option<String>,
    pub(crate) page_size: u16,
}

impl EntraAdapter {
    /// An adapter with these settings. No I/O.
    ///
    /// # Errors
    /// [`usher_core::ErrorKind::InvalidConfig`] for settings that cannot work.
    pub fn new(config: &EntraConfig) -> Result<Self, AdapterError> {
        Self::with_bounds(config, Patience::default(), TIMEOUT)
    }

    /// As [`Self::new`], with bounds on how long a call waits when Graph says "later", and on how long a request takes.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_bounds(
        config: &EntraConfig,
        patience: Patience,
        timeout: Duration,
    ) -> Result<Self, AdapterError> {
        let pull = config
            .pull()?
            .map(|pull| Pull::new(pull, patience, timeout))
            .transpose()?;
        Ok(Self {
            profile: PushProfile::from(config),
            pull,
        })
    }

    fn pull(&self, operation: &'static str) -> Result<&Pull, AdapterError> {
        self.pull.as_ref().ok_or_else(|| {
            AdapterError::unsupported(
                operation,
                "this source only pushes; set tenant_id, client_id and a credential in source.settings to read Microsoft Graph",
            )
        })
    }
}

impl Pull {
    fn new(config: PullConfig, patience: Patience, timeout: Duration) -> Result<Self, AdapterError> {
        let client = Client::builder(vec![config.root.clone()])
            .credentials(config.credentials)
            .patience(patience)
            .timeout(timeout)
            .build()?;
        Ok(Self {
            graph: Graph::new(client, config.root),
            tenant: config.tenant,
            application: config.application,
            page_size: config.page_size,
        })
    }
}

#[async_trait]
impl ProvisioningAdapter for EntraAdapter {
    fn describe(&self) -> AdapterDescription {
        let Some(pull) = &self.pull else {
            return AdapterDescription {
                kind: KIND,
                modes: vec![Mode::Push],
                capabilities: Capabilities {
                    disabled_users: true,
                    stable_ids: self.profile.trusts_external_id,
                    ..Capabilities::default()
                },
            };
        };
        AdapterDescription {
            kind: KIND,
            modes: vec![Mode::Push, Mode::Pull, Mode::Both],
            capabilities: Capabilities {
                delta_reads: true,
                nested_groups: true,
                disabled_users: true,
                stable_ids: true,
                application_assignments: pull.application.is_some(),
                person_reads: true,
                notifications: false,
                max_groups_per_read: None,
                permissions: check::permissions(pull.application.is_some()),
            },
        }
    }

    fn push_profile(&self) -> PushProfile {
        self.profile.clone()
    }

    async fn check(&self) -> Result<CheckReport, AdapterError> {
        match &self.pull {
            Some(pull) => pull.check().await,
            None => Ok(CheckReport {
                guidance: check::guidance(false),
                ..CheckReport::default()
            }),
        }
    }

    async fn list_groups(&self, query: GroupQuery) -> Result<Vec<GroupSummary>, AdapterError> {
        self.pull("list_groups")?.list_groups(query).await
    }

    async fn read(
        &self,
        request: ReadRequest,
        sink: &mut dyn ChangeSink,
    ) -> Result<ReadOutcome, AdapterError> {
        let pull = self.pull("read")?;
        let progress = request.checkpoint.as_ref().map(Progress::read).transpose()?;
        let progress = match request.scope {
            ReadScope::Person { user, groups } => {
                pull.read_person(&user, &groups, sink).await?;
                return Ok(ReadOutcome::default());
            }
            ReadScope::Groups(groups) => {
                pull.read_groups(groups, progress.filter(|old| !old.all), sink)
                    .await?
            }
            ReadScope::AllGroups => pull.read_all_groups(progress.filter(|old| old.all), sink).await?,
        };
        Ok(ReadOutcome {
            checkpoint: Some(progress.write()),
        })
    }
}

impl Pull {
    /// Reads groups: those that a checkpoint follows by what changed, the others completely.
    ///
    /// Links are taken before anything is read, so that a change in between is told by the next read. Groups with nested
    /// members are read completely every time: Graph tells a change inside a nested group under that group alone.
    async fn read_groups(
        &self,
        wanted: Vec<WantedGroup>,
        old: Option<Progress>,
        sink: &mut dyn ChangeSink,
    ) -> Result<Progress, AdapterError> {
        let direct: HashMap<String, RemoteGroupId> = wanted
            .iter()
            .filter(|group| !group.nested && guid(group.id.as_str()).is_some())
            .map(|group| (group.id.as_str().to_ascii_lowercase(), group.id.clone()))
            .collect();
        let mut progress = self.begin(&direct, old.as_ref()).await?;
        let mut unread: HashSet<String> = old
            .as_ref()
            .map(|old| old.unread.iter().cloned().collect())
            .unwrap_or_default();
        if let Some(old) = &old {
            let known = old.followed();
            unread.extend(direct.keys().filter(|id| !known.contains(id.as_str())).cloned());
            let followed = direct.iter().filter(|(id, _)| !unread.contains(*id));
            let followed = Followed::Some(followed.map(|(id, group)| (id.clone(), group.clone())).collect());
            let wanted = |id: &str| direct.contains_key(id);
            self.report_changes(old, &followed, &wanted, &mut progress, sink)
                .await?;
        } else {
            unread.extend(direct.keys().cloned());
        }
        let mut done = HashSet::new();
        for group in &wanted {
            let id = group.id.as_str().to_ascii_lowercase();
            if direct.contains_key(&id) && !group.nested && !unread.contains(&id)
                || !done.insert((id.clone(), group.nested))
            {
                continue;
            }
            let coverage = self.read_group(group, sink).await?;
            if coverage == Coverage::NotRead && !group.nested && !progress.unread.contains(&id) {
                progress.unread.push(id);
            }
        }
        let ids: Vec<RemoteGroupId> = wanted.into_iter().map(|group| group.id).collect();
        self.report_assignments(&ids, sink).await?;
        Ok(progress)
    }

    /// Takes the links that are missing. Streams that are kept are put into the progress when they were read.
    async fn begin(
        &self,
        direct: &HashMap<String, RemoteGroupId>,
        old: Option<&Progress>,
    ) -> Result<Progress, AdapterError> {
        let users = match old {
            Some(old) => old.users.clone(),
            None => self.follow_users().await?,
        };
        let mut progress = Progress::new(false, users);
        let needed = direct.len().div_ceil(MOST_FILTERED);
        let kept = old.filter(|old| old.streams.len() <= needed + SPARE_STREAMS);
        let followed = kept.map(Progress::followed).unwrap_or_default();
        let mut fresh: Vec<&str> = direct
            .keys()
            .map(String::as_str)
            .filter(|id| !followed.contains(id))
            .collect();
        fresh.sort_unstable();
        progress.streams = self.follow_groups(&fresh).await?;
        Ok(progress)
    }

    /// Reports what changed since the links of an older read, and puts the links for the next one into `progress`.
    ///
    /// A stream keeps only the groups that are wanted: one that is wanted again later is read completely then, because its
    /// changes were passed over meanwhile.
    async fn report_changes(
        &self,
        old: &Progress,
        followed: &Followed,
        wanted: &(dyn Fn(&str) -> bool + Sync),
        progress: &mut Progress,
        sink: &mut dyn ChangeSink,
    ) -> Result<(), AdapterError> {
        let replaced: HashSet<String> = progress.followed().into_iter().map(String::from).collect();
        for stream in &old.streams {
            let kept = stream.groups.iter().filter(|id| wanted(id));
            let kept: Vec<String> = kept.cloned().collect();
            if kept.is_empty() && !old.all {
                continue;
            }
            let link = self
                .group_changes(&stream.link, followed, &mut progress.unread, sink)
                .await?;
            let kept: Vec<String> = kept.into_iter().filter(|id| !replaced.contains(id)).collect();
            if !kept.is_empty() || old.all {
                progress.streams.push(Stream { link, groups: kept });
            }
        }
        progress.users = self.user_changes(&old.users, sink).await?;
        Ok(())
    }

    /// Reads every group that the application may see.
    async fn read_all_groups(
        &self,
        old: Option<Progress>,
        sink: &mut dyn ChangeSink,
    ) -> Result<Progress, AdapterError> {
        let Some(old) = old else {
            let mut progress = Progress::new(true, self.follow_users().await?);
            progress.streams.push(self.follow_all_groups().await?);
            self.walk_over_groups(Some(&mut progress), sink).await?;
            return Ok(progress);
        };
        let mut progress = Progress::new(true, old.users.clone());
        let unread: HashSet<String> = old.unread.iter().cloned().collect();
        let followed = Followed::AllBut(unread);
        self.report_changes(&old, &followed, &|_| true, &mut progress, sink)
            .await?;
        for id in &old.unread {
            self.read_one_of_all(id, &mut progress, sink).await?;
        }
        if self.application.is_some() {
            self.walk_over_groups(None, sink).await?;
        }
        Ok(progress)
    }

    /// Walks over the list of groups: reads each if there is a progress to note it in, and says which are assigned.
    async fn walk_over_groups(
        &self,
        mut progress: Option<&mut Progress>,
        sink: &mut dyn ChangeSink,
    ) -> Result<(), AdapterError> {
        const OPERATION: &str = "list_groups";
        let url = self.graph.url(&["groups"], &[("$select", "id"), ("$top", "999")]);
        let mut found = self
            .graph
            .get::<Page<Identified>>(OPERATION, &url, Consistency::Strong)
            .await?;
        let (mut seen, mut trail) = (HashSet::new(), Trail::default());
        loop {
            let page = match found {
                Found::Yes(page) => page,
                Found::No(refusal) => return Err(refusal.error),
            };
            let mut groups = Vec::new();
            for group in &page.value {
                if !seen.insert(guid(&group.id)) {
                    continue;
                }
                if let Some(progress) = progress.as_deref_mut() {
                    self.read_one_of_all(&group.id, progress, sink).await?;
                }
                groups.push(record::group_id(&group.id)?);
            }
            self.report_assignments(&groups, sink).await?;
            let Some(link) = page.next_link else { return Ok(()) };
            trail.step(OPERATION, &link, !groups.is_empty())?;
            found = self.graph.follow(OPERATION, &link, Consistency::Strong).await?;
        }
    }

    async fn read_one_of_all(
        &self,
        id: &str,
        progress: &mut Progress,
        sink: &mut dyn ChangeSink,
    ) -> Result<(), AdapterError> {
        let group = WantedGroup {
            id: record::group_id(id)?,
            nested: false,
        };
        let coverage = self.read_group(&group, sink).await?;
        let id = id.to_ascii_lowercase();
        if coverage == Coverage::NotRead && !progress.unread.contains(&id) {
            progress.unread.push(id);
        }
        Ok(())
    }
}
