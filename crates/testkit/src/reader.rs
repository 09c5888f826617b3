//! Follows an adapter as the engine does: read, believe, keep the checkpoint, read again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use usher_core::{
    AdapterError, Capabilities, Checkpoint, DirectoryChange, ErrorKind, ProvisioningAdapter, ReadOutcome,
    ReadRequest, ReadScope, WantedGroup,
};
use usher_fakes::{Directory, Fault};

use crate::company::{none_missing, truth};
use crate::promise::ensure;
use crate::{Broken, Model, Page, Provider, Recorder};

/// A read that takes longer has no end.
const PATIENCE: Duration = Duration::from_secs(120);

/// One read, as it went.
#[derive(Debug)]
pub struct Read {
    /// What was taken, page by page.
    pub pages: Vec<Page>,
    /// How it ended.
    pub result: Result<ReadOutcome, AdapterError>,
    /// Whether the sink refused a page.
    pub refused: bool,
    /// How many pages came after the refusal.
    pub after_refusal: usize,
}

impl Read {
    /// All changes, in order.
    pub fn changes(&self) -> impl Iterator<Item = &DirectoryChange> {
        self.pages.iter().flat_map(|page| &page.changes)
    }

    /// Complains when the read failed.
    ///
    /// # Errors
    /// With the adapter's error.
    pub fn succeeded(self) -> Result<Self, Broken> {
        match &self.result {
            Ok(_) => Ok(self),
            Err(error) => Err(Broken::failed("read", error)),
        }
    }
}

/// Reads the same groups again and again.
#[derive(Debug)]
pub struct Reader<'p, P> {
    provider: &'p P,
    directory: Directory,
    wanted: Vec<WantedGroup>,
    capabilities: Capabilities,
    model: Model,
    checkpoint: Option<Checkpoint>,
    adapter: Option<Arc<dyn ProvisioningAdapter>>,
    hasty: bool,
}

impl<P> Clone for Reader<'_, P> {
    fn clone(&self) -> Self {
        Self {
            provider: self.provider,
            directory: self.directory.clone(),
            wanted: self.wanted.clone(),
            capabilities: self.capabilities.clone(),
            model: self.model.clone(),
            checkpoint: self.checkpoint.clone(),
            adapter: self.adapter.clone(),
            hasty: self.hasty,
        }
    }
}

impl<'p, P: Provider> Reader<'p, P> {
    /// Knows nothing yet.
    pub fn new(provider: &'p P, directory: &Directory, wanted: Vec<WantedGroup>) -> Self {
        Self {
            provider,
            directory: directory.clone(),
            wanted,
            capabilities: provider.adapter().describe().capabilities,
            model: Model::default(),
            checkpoint: None,
            adapter: None,
            hasty: false,
        }
    }

    /// What the adapter can do.
    pub const fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// What is believed now.
    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// What is believed now, to change what a single read brought.
    pub const fn model_mut(&mut self) -> &mut Model {
        &mut self.model
    }

    /// Where the last read ended.
    pub const fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }

    /// Wants other groups from now on.
    pub fn want(&mut self, wanted: Vec<WantedGroup>) {
        self.wanted = wanted;
    }

    /// Makes all further reads by one adapter; otherwise each read is by a new one, which has to ask for its token too.
    pub fn keep_adapter(&mut self) {
        self.adapter = Some(self.provider.adapter());
    }

    /// Makes the next read in haste if this fault is about, so that waiting for no answer does not take long.
    pub fn meet(&mut self, fault: Fault) {
        self.hasty = fault == Fault::NoAnswer;
    }

    /// Goes on from this checkpoint.
    pub fn resume(&mut self, checkpoint: Checkpoint) {
        self.checkpoint = Some(checkpoint);
    }

    /// Reads from the beginning.
    ///
    /// # Errors
    /// When the read has no end.
    pub async fn full(&mut self) -> Result<Read, Broken> {
        self.read(None, None).await
    }

    /// Reads from the last checkpoint, or from the beginning without one.
    ///
    /// # Errors
    /// When the read has no end.
    pub async fn next(&mut self) -> Result<Read, Broken> {
        self.read(self.checkpoint.clone(), None).await
    }

    /// Reads into a sink that refuses a page.
    ///
    /// # Errors
    /// When the read has no end.
    pub async fn next_refusing(&mut self, page: usize) -> Result<Read, Broken> {
        self.read(self.checkpoint.clone(), Some(page)).await
    }

    /// Reads from the last checkpoint while nothing is wrong, and from the beginning when that is too old, as the
    /// engine does.
    ///
    /// # Errors
    /// When a read fails.
    pub async fn catch_up(&mut self) -> Result<(), Broken> {
        let read = self.next().await?;
        match read.result {
            Err(error) if error.kind() == ErrorKind::CheckpointExpired => {
                self.full().await?.succeeded()?;
            }
            _ => {
                read.succeeded()?;
            }
        }
        Ok(())
    }

    /// Reads twice from the beginning while nothing is wrong: what one complete read leaves open the second settles.
    ///
    /// # Errors
    /// When a read fails.
    pub async fn settle(&mut self) -> Result<(), Broken> {
        for _ in 0..2 {
            self.full().await?.succeeded()?;
        }
        Ok(())
    }

    /// Who is believed to be in each group.
    pub fn believed(&self) -> BTreeMap<String, BTreeSet<String>> {
        let groups = self.wanted.iter().map(|group| group.id.as_str());
        groups
            .map(|group| (group.to_owned(), self.model.members(group)))
            .collect()
    }

    /// Complains when somebody was believed to be in a group, is in it, and is no longer believed to be.
    ///
    /// # Errors
    /// With who was lost.
    pub fn lost_nobody(&self, before: &BTreeMap<String, BTreeSet<String>>, when: &str) -> Result<(), Broken> {
        for group in &self.wanted {
            let id = group.id.as_str();
            let Some(there) = truth(&self.directory, group, self.capabilities.disabled_users) else {
                continue;
            };
            let known = before.get(id).cloned().unwrap_or_default();
            let still: BTreeSet<_> = there.intersection(&known).cloned().collect();
            let what = format!("{when}, group {id} lost members that the directory still has");
            none_missing(&what, &still, &self.model.members(id))?;
        }
        Ok(())
    }

    /// Complains unless what is believed is what the directory has: members, names of groups, names of people.
    /// A group that is gone may be believed to be as it was.
    ///
    /// # Errors
    /// With the difference.
    pub fn equals_directory(&self, when: &str) -> Result<(), Broken> {
        for group in &self.wanted {
            let id = group.id.as_str();
            let Some(there) = truth(&self.directory, group, self.capabilities.disabled_users) else {
                continue;
            };
            let believed = self.model.members(id);
            none_missing(&format!("{when}, group {id} lacks members"), &there, &believed)?;
            none_missing(
                &format!("{when}, group {id} has members too many"),
                &believed,
                &there,
            )?;
            let name = self.directory.group(id).map(|group| group.name);
            let told = self.model.group(id).map(|group| group.name.clone());
            ensure!(
                name == told,
                "{when}, group {id} is called {name:?} and was reported as {told:?}"
            );
            for member in &there {
                let name = self.directory.user(member).map(|user| user.user_name);
                let told = self.model.user(member).map(|user| user.record.user_name.clone());
                ensure!(
                    name == told,
                    "{when}, user {member} is called {name:?} and was reported as {told:?}"
                );
            }
        }
        Ok(())
    }

    async fn read(&mut self, checkpoint: Option<Checkpoint>, refuses: Option<usize>) -> Result<Read, Broken> {
        let request = ReadRequest {
            scope: ReadScope::Groups(self.wanted.clone()),
            checkpoint,
        };
        let adapter = match &self.adapter {
            _ if self.hasty => self.provider.hasty_adapter(),
            Some(adapter) => Arc::clone(adapter),
            None => self.provider.adapter(),
        };
        self.hasty = false;
        let read = read_by(&*adapter, self.provider, request, refuses).await?;
        for change in read.changes() {
            self.model.apply(change);
        }
        self.model.read_ended();
        if let Ok(outcome) = &read.result {
            self.checkpoint.clone_from(&outcome.checkpoint);
        }
        Ok(read)
    }
}

/// One read by a new adapter.
pub(crate) async fn read_once<P: Provider>(
    provider: &P,
    request: ReadRequest,
    refuses: Option<usize>,
) -> Result<Read, Broken> {
    read_by(&*provider.adapter(), provider, request, refuses).await
}

pub(crate) async fn read_by<P: Provider>(
    adapter: &dyn ProvisioningAdapter,
    provider: &P,
    request: ReadRequest,
    refuses: Option<usize>,
) -> Result<Read, Broken> {
    let mut sink = Recorder::new(provider.faults().clone()).refusing(refuses);
    let reading = tokio::time::timeout(PATIENCE, adapter.read(request, &mut sink));
    let Ok(result) = reading.await else {
        let seconds = PATIENCE.as_secs();
        return Err(Broken::new(format!("a read did not end within {seconds} s")));
    };
    let (refused, after_refusal) = (sink.refused(), sink.after_refusal());
    Ok(Read {
        pages: sink.into_pages(),
        result,
        refused,
        after_refusal,
    })
}
