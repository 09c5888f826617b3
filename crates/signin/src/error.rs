//! Why nobody came in.

/// Why a provider cannot be used as it is configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// The issuer is not a URL that may be called.
    #[error(
        "the issuer '{0}' cannot be used: give the https URL exactly as the provider's discovery document says it (http \
         works on this machine only)"
    )]
    Issuer(String),
    /// The scopes lack the one that makes it OpenID Connect.
    #[error("the scopes lack 'openid': add it")]
    Scopes,
    /// There are no rules, so nobody could ever come in.
    #[error("no rule gives a role: add at least one, such as {{ value = \"…\", role = \"admin\" }}")]
    NoRules,
    /// A rule looks for a value, and no claim is named to look into.
    #[error(
        "a rule looks for '{0}', but no claim is named: set roles_claim, such as \"roles\" or \"groups\""
    )]
    NoClaim(String),
    /// A rule gives the role of programs.
    #[error("the role 'app' is for programs with a token; choose another one")]
    App,
    /// The certificates cannot be read.
    #[error("the extra certificate authorities hold no certificate in PEM")]
    Certificates,
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be set up; check that the operating system has root certificates: {0}")]
    Client(String),
}

/// Why a sign-in did not work. The texts are for logs; what people read is chosen by the variant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// The provider cannot be asked now.
    #[error("the provider cannot be asked: {0}")]
    Unreachable(String),
    /// The provider, or the person there, said no.
    #[error("the provider answered '{code}': {description}")]
    Denied {
        /// The word of RFC 6749 §4.1.2.1, such as `access_denied`.
        code: String,
        /// What the provider says about it.
        description: String,
    },
    /// What came back does not belong to the sign-in that this browser began.
    #[error("what came back does not belong to a sign-in of this browser: {0}")]
    Foreign(&'static str),
    /// The provider did not take the code.
    #[error("the provider refused the code: {0}")]
    Code(String),
    /// The ID token is not one to believe.
    #[error("the ID token is refused: {0}")]
    Token(String),
    /// The person is known, and no rule gives them a role.
    #[error("no rule gives {subject} a role")]
    NoRole {
        /// Who it is to the provider.
        subject: String,
        /// The name to show.
        name: String,
        /// The claim that the rules look into.
        claim: Option<String>,
        /// What it held; `None` when it was not there.
        found: Option<Vec<String>>,
        /// Whether the provider left the groups out because there are too many.
        overflow: bool,
    },
    /// Requesters are known by their address, and there is none.
    #[error("{subject} would be a requester, but the provider says no e-mail address of theirs")]
    NoEmail {
        /// Who it is to the provider.
        subject: String,
    },
}
