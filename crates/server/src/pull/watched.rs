//! Around each adapter: a limit in time, and numbers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use usher_core::{
    AdapterDescription, AdapterError, ChangeSink, CheckReport, ErrorKind, GroupQuery, GroupSummary,
    Notification, NotificationAnswer, ProvisioningAdapter, PushProfile, ReadOutcome, ReadRequest, ReadScope,
    RetryAdvice, SourceName,
};

const CHECK: Duration = Duration::from_secs(40);
const LIST: Duration = Duration::from_secs(20);
/// A human waits for the answer about one person.
const PERSON: Duration = Duration::from_secs(15);
const NOTIFICATION: Duration = Duration::from_secs(5);

/// An adapter whose calls are bounded in time and counted.
#[derive(Debug)]
pub(super) struct Watched {
    source: SourceName,
    inner: Arc<dyn ProvisioningAdapter>,
    read: Duration,
}

impl Watched {
    /// Watches an adapter whose reads of groups may take so long.
    pub(super) fn new(source: SourceName, inner: Arc<dyn ProvisioningAdapter>, read: Duration) -> Self {
        Self { source, inner, read }
    }

    async fn watch<T>(
        &self,
        operation: &'static str,
        limit: Duration,
        call: impl Future<Output = Result<T, AdapterError>>,
    ) -> Result<T, AdapterError> {
        let begun = Instant::now();
        let result = tokio::time::timeout(limit, call)
            .await
            .unwrap_or_else(|_elapsed| {
                Err(AdapterError::new(
                    ErrorKind::Unavailable,
                    RetryAdvice::Now,
                    operation,
                    format!("it was not done within {} seconds", limit.as_secs()),
                ))
            });
        let outcome = result
            .as_ref()
            .map_or_else(|error| error.kind().as_str(), |_| "ok");
        let source = self.source.to_string();
        metrics::counter!("usher_adapter_calls_total", "source" => source.clone(), "operation" => operation,
            "outcome" => outcome)
        .increment(1);
        metrics::histogram!("usher_adapter_call_seconds", "source" => source, "operation" => operation)
            .record(begun.elapsed().as_secs_f64());
        result
    }
}

#[async_trait]
impl ProvisioningAdapter for Watched {
    fn describe(&self) -> AdapterDescription {
        self.inner.describe()
    }

    fn push_profile(&self) -> PushProfile {
        self.inner.push_profile()
    }

    async fn check(&self) -> Result<CheckReport, AdapterError> {
        self.watch("check", CHECK, self.inner.check()).await
    }

    async fn list_groups(&self, query: GroupQuery) -> Result<Vec<GroupSummary>, AdapterError> {
        self.watch("list_groups", LIST, self.inner.list_groups(query))
            .await
    }

    async fn read(
        &self,
        request: ReadRequest,
        sink: &mut dyn ChangeSink,
    ) -> Result<ReadOutcome, AdapterError> {
        let limit = match request.scope {
            ReadScope::Person { .. } => PERSON,
            ReadScope::Groups(_) | ReadScope::AllGroups => self.read,
        };
        self.watch("read", limit, self.inner.read(request, sink)).await
    }

    async fn notification(&self, notification: Notification) -> Result<NotificationAnswer, AdapterError> {
        self.watch(
            "notification",
            NOTIFICATION,
            self.inner.notification(notification),
        )
        .await
    }
}
