//! What the author of an adapter tells the suite.

use std::sync::Arc;

use http::Method;
use usher_core::{Notification, ProvisioningAdapter};
use usher_fakes::{Directory, Fault, Faults, Guest, IdStyle, Seen};

/// How a fake provider answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shape {
    /// The most items in one answer of a list, whatever the client asks for.
    pub page_size: usize,
}

impl Shape {
    /// Pages of this many items.
    #[must_use]
    pub const fn pages_of(page_size: usize) -> Self {
        Self { page_size }
    }
}

/// Calls that the provider makes to say that something changed.
#[derive(Debug, Clone)]
pub struct Calls {
    /// One with the right secret.
    pub genuine: Notification,
    /// The same with a wrong secret.
    pub forged: Notification,
    /// One with the right secret and a body that nobody understands.
    pub garbled: Notification,
}

/// A fake identity provider with an adapter in front of it. The author of an adapter implements this; the suite does
/// the rest.
///
/// The directory given to [`Provider::start`] is the truth. The fake shows it in the provider's own protocol, asks
/// its [`Faults`] once for each request, and acts out what they answer; [`usher_fakes::Served`] does the transport's
/// part of that.
pub trait Provider: Sized {
    /// How ids look at this provider.
    const IDS: IdStyle;

    /// Which signs of a guest the provider shows. Guests of the other kinds count as employees.
    const GUESTS: &'static [Guest];

    /// Whether the provider cuts the members of a group into pages. Where one answer holds them all, that answer is
    /// the page.
    const PAGED_MEMBERS: bool = true;

    /// Faults that no client of this provider could notice, each with the reason. They are left out of the promises
    /// about members that are still there; the reasons are printed.
    const UNNOTICEABLE: &'static [(Fault, &'static str)] = &[];

    /// Starts the fake on a free port of loopback.
    fn start(directory: Directory, shape: Shape) -> impl Future<Output = Self>;

    /// The faults of the running fake.
    fn faults(&self) -> &Faults;

    /// The requests so far, oldest first.
    fn seen(&self) -> Vec<Seen>;

    /// A new adapter with credentials that the fake takes. It has no patience: it gives up on the first refusal to
    /// answer. It waits for an answer as long as a busy machine may need, ten seconds or more.
    fn adapter(&self) -> Arc<dyn ProvisioningAdapter>;

    /// The same, but it waits at most a quarter of a second. The suite uses it where no answer will come, and does not
    /// hold it against the adapter when it also gives up elsewhere.
    fn hasty_adapter(&self) -> Arc<dyn ProvisioningAdapter> {
        self.adapter()
    }

    /// An adapter that can only be pushed to, as it is configured without credentials; `None` when this kind is never
    /// without them.
    fn adapter_without_pull(&self) -> Option<Arc<dyn ProvisioningAdapter>>;

    /// Every secret that the adapter was given or got from the fake: nothing it shows may hold one of them.
    fn secrets(&self) -> Vec<String>;

    /// Calls of the provider; needed when the capabilities have `notifications`.
    fn calls(&self) -> Option<Calls> {
        None
    }

    /// Whether a request changes nothing at the provider. Besides reading, that is asking for a token, a batch of
    /// reads and a search.
    fn only_asks(seen: &Seen) -> bool {
        let asking = ["token", "$batch", ".search"];
        matches!(seen.method, Method::GET | Method::HEAD)
            || (seen.method == Method::POST && asking.iter().any(|part| seen.path.ends_with(part)))
    }
}
