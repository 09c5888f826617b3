//! What a path under `/scim` names, and which methods it takes.

use std::borrow::Cow;

use http::Method;
use usher_scim::ScimError;

use super::Failure;

/// What a path names, below the root of its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Users(Option<String>),
    Groups(Option<String>),
    Search(Who),
    Bulk,
    Me,
    ServiceProviderConfig,
    ResourceTypes(Option<String>),
    Schemas(Option<String>),
}

/// Which resources a search is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Users,
    Groups,
    All,
}

/// The source's name as it stands in the path, unchecked, and the target below its root.
///
/// Doubled slashes and one at the end are passed over: administrators type base URLs with a slash at their end.
pub(super) fn parse(path: &str) -> Result<(&str, Target), ScimError> {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty()).skip(1);
    let (Some(source), Some(version)) = (segments.next(), segments.next()) else {
        return Err(ScimError::not_found(
            "the SCIM root of a source is /scim/<source>/v2",
        ));
    };
    if !version.eq_ignore_ascii_case("v2") {
        return Err(ScimError::not_found(
            "the SCIM root of a source is /scim/<source>/v2; this path lacks the v2",
        ));
    }
    let target = match (segments.next(), segments.next(), segments.next()) {
        (Some(one), None, None) => decode(one).and_then(|one| collection(&one)),
        (Some(of), Some(id), None) => decode(of).zip(decode(id)).and_then(|(of, id)| member(&of, id)),
        _ => None,
    };
    Ok((source, target.ok_or_else(unknown)?))
}

fn collection(name: &str) -> Option<Target> {
    let named = |known: &str| name.eq_ignore_ascii_case(known);
    Some(match () {
        () if named("Users") => Target::Users(None),
        () if named("Groups") => Target::Groups(None),
        () if named(".search") => Target::Search(Who::All),
        () if named("Bulk") => Target::Bulk,
        () if named("Me") => Target::Me,
        () if named("ServiceProviderConfig") || named("ServiceProviderConfigs") => {
            Target::ServiceProviderConfig
        }
        () if named("ResourceTypes") => Target::ResourceTypes(None),
        () if named("Schemas") => Target::Schemas(None),
        () => return None,
    })
}

fn member(name: &str, id: Cow<'_, str>) -> Option<Target> {
    Some(match collection(name)? {
        Target::Users(_) if id.eq_ignore_ascii_case(".search") => Target::Search(Who::Users),
        Target::Groups(_) if id.eq_ignore_ascii_case(".search") => Target::Search(Who::Groups),
        Target::Users(_) => Target::Users(Some(id.into_owned())),
        Target::Groups(_) => Target::Groups(Some(id.into_owned())),
        Target::ResourceTypes(_) => Target::ResourceTypes(Some(id.into_owned())),
        Target::Schemas(_) => Target::Schemas(Some(id.into_owned())),
        _ => return None,
    })
}

fn unknown() -> ScimError {
    ScimError::not_found("there is no such SCIM endpoint; /ResourceTypes lists what there is")
}

/// Percent-decoding; `None` for what is no UTF-8 text.
fn decode(segment: &str) -> Option<Cow<'_, str>> {
    if !segment.contains('%') {
        return Some(Cow::Borrowed(segment));
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

impl Target {
    /// Whether it describes the service, which it does with and without a token.
    pub(super) const fn is_discovery(&self) -> bool {
        matches!(
            self,
            Self::ServiceProviderConfig | Self::ResourceTypes(_) | Self::Schemas(_)
        )
    }

    /// Refuses a method that the target does not take.
    pub(super) fn allow(&self, method: &Method) -> Result<(), Failure> {
        let allowed: &'static str = match self {
            Self::Users(None) | Self::Groups(None) => "GET, HEAD, POST",
            Self::Users(Some(_)) | Self::Groups(Some(_)) => "GET, HEAD, PUT, PATCH, DELETE",
            Self::Search(_) | Self::Bulk => "POST",
            Self::Me => return Ok(()),
            Self::ServiceProviderConfig | Self::ResourceTypes(_) | Self::Schemas(_) => "GET, HEAD",
        };
        if allowed.split(", ").any(|one| one == method.as_str()) {
            return Ok(());
        }
        Err(Failure::method_not_allowed(allowed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_targets() {
        for (path, expected) in [
            ("/scim/idp/v2/Users", Target::Users(None)),
            ("/scim/idp/v2//users/", Target::Users(None)),
            ("/scim/idp/v2/Groups/a%20b", Target::Groups(Some("a b".into()))),
            ("/scim/idp/v2/.search", Target::Search(Who::All)),
            ("/scim/idp/v2/Users/.search", Target::Search(Who::Users)),
            (
                "/scim/idp/v2/Schemas/urn%3Aietf",
                Target::Schemas(Some("urn:ietf".into())),
            ),
        ] {
            assert_eq!(parse(path), Ok(("idp", expected)), "{path}");
        }
    }

    #[test]
    fn other_paths_are_not_found() {
        for path in [
            "/scim",
            "/scim/idp",
            "/scim/idp/v1/Users",
            "/scim/idp/v2",
            "/scim/idp/v2/Users/1/2",
            "/scim/idp/v2/Bulk/1",
            "/scim/idp/v2/Users/%ff",
            "/scim/idp/v2/Users/%4",
        ] {
            assert_eq!(parse(path).unwrap_err().status, 404, "{path}");
        }
    }
}
