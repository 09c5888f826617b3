//! The configured sources with their adapters, for whoever asks one.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use usher_core::{Mode, ProvisioningAdapter, SourceName};
use usher_engine::EngineError;
use usher_engine::pull::Lease;
use usher_storage::{SourceKey, Tx, query};

use super::watched::Watched;
use crate::config::{Pull, Rules};

/// The configured sources with their adapters. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Readers(Arc<BTreeMap<SourceName, Reader>>);

/// A source that can be asked. Its calls are bounded in time and counted.
#[derive(Debug, Clone)]
pub struct Reader {
    /// Its name.
    pub name: SourceName,
    /// Who starts a change.
    pub mode: Mode,
    /// Its adapter.
    pub adapter: Arc<dyn ProvisioningAdapter>,
    /// How it is read.
    pub pull: Pull,
    /// Whether this process found out that the directory is the one that was read before.
    pub(super) is_pinned: Arc<AtomicBool>,
    /// Whoever asks for a read in this process tells the one that does it.
    pub(super) asked: Arc<Notify>,
    /// The lease by which this process reads the source at the moment.
    reads: Arc<Mutex<Option<Lease>>>,
}

impl Reader {
    /// Lets what was asked for begin at once, if this process reads the source; else it begins with the next beat of the one
    /// that does.
    pub(crate) fn wake(&self) {
        self.asked.notify_one();
    }

    /// Says by which lease this process reads the source from now on.
    pub(super) fn reads_by(&self, lease: Option<Lease>) {
        *self.reads.lock().expect("no holder of this lock panics") = lease;
    }

    /// The lease by which this process reads the source at the moment.
    pub(super) fn reading(&self) -> Option<Lease> {
        *self.reads.lock().expect("no holder of this lock panics")
    }
}

impl Readers {
    /// The sources of a checked configuration.
    #[must_use]
    pub fn new(rules: &Rules) -> Self {
        let readers = rules.sources.iter().map(|source| {
            let pull = source.pull.unwrap_or_default();
            let adapter = Watched::new(
                source.name.clone(),
                Arc::clone(&source.adapter),
                pull.timeout.duration(),
            );
            let reader = Reader {
                name: source.name.clone(),
                mode: source.mode,
                adapter: Arc::new(adapter),
                pull,
                is_pinned: Arc::default(),
                asked: Arc::default(),
                reads: Arc::default(),
            };
            (source.name.clone(), reader)
        });
        Self(Arc::new(readers.collect()))
    }

    /// The source with a name.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when it is not configured.
    pub fn get(&self, name: &str) -> Result<&Reader, EngineError> {
        name.parse::<SourceName>()
            .ok()
            .and_then(|name| self.0.get(&name))
            .ok_or_else(|| {
                EngineError::not_found("configured source", name.chars().take(64).collect::<String>())
            })
    }

    /// The sources that are read.
    pub fn read(&self) -> impl Iterator<Item = &Reader> {
        self.0.values().filter(|reader| reader.mode.pulls())
    }

    /// Refuses members of groups inside groups where the source's adapter cannot tell who they are.
    ///
    /// # Errors
    /// [`EngineError::Refused`] (`nested_not_read`).
    pub(crate) async fn refuse_nested(
        &self,
        tx: &mut Tx<'_>,
        source: SourceKey,
        nested: Option<bool>,
    ) -> Result<(), EngineError> {
        if nested != Some(true) {
            return Ok(());
        }
        let name = query::source::by_key(tx, source).await?.map(|row| row.name);
        let reader = name.as_deref().and_then(|name| self.get(name).ok());
        match reader.map(|reader| reader.adapter.describe()) {
            Some(described) if !described.capabilities.nested_groups => Err(EngineError::refused(
                "nested_not_read",
                format!(
                    "an adapter of kind '{}' cannot tell who is in groups inside a group",
                    described.kind
                ),
                "map each of the inner groups",
            )),
            _ => Ok(()),
        }
    }
}
