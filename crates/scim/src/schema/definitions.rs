//! The schemas of RFC 7643 §3.1, §4.1, §4.2 and §4.3, with verified errata 5368 (Group `displayName` is required),
//! 8471 (a user's `groups.$ref` points at groups only) and 8472 (`manager.value` is case-exact).

use super::{Attribute, Extension, Kind, Mutability, ResourceType, Returned, Schema, Uniqueness};
use crate::urn;

const VALUE: Attribute = Attribute::string("value", "The value itself.");
const DISPLAY: Attribute = Attribute::string("display", "A name for people to read.");
const TYPE: Attribute = Attribute::string("type", "What the value is used for.");
const PRIMARY: Attribute = Attribute::new(
    "primary",
    Kind::Boolean,
    "Whether this value is the preferred one; true at most once.",
);

/// What every resource has besides its schema's attributes.
pub static COMMON: &[Attribute] = &[
    Attribute::reference(
        "schemas",
        &["uri"],
        "The URNs of the schemas that the resource uses.",
    )
    .multi()
    .returned(Returned::Always),
    Attribute::string("id", "The service provider's identifier, never reused.")
        .case_exact()
        .mutability(Mutability::ReadOnly)
        .returned(Returned::Always)
        .unique(Uniqueness::Server),
    Attribute::string("externalId", "The provisioning client's own identifier.").case_exact(),
    Attribute::complex("meta", META, "Facts about the resource itself.").mutability(Mutability::ReadOnly),
];

const META: &[Attribute] = &[
    Attribute::string("resourceType", "The name of the resource type.")
        .case_exact()
        .mutability(Mutability::ReadOnly),
    Attribute::new("created", Kind::DateTime, "When it was added.").mutability(Mutability::ReadOnly),
    Attribute::new("lastModified", Kind::DateTime, "When it last changed.").mutability(Mutability::ReadOnly),
    Attribute::reference("location", &["uri"], "Its URL.").mutability(Mutability::ReadOnly),
    Attribute::string("version", "Its entity tag.")
        .case_exact()
        .mutability(Mutability::ReadOnly),
];

const NAME: &[Attribute] = &[
    Attribute::string("formatted", "The full name as it should be displayed."),
    Attribute::string("familyName", "The family name."),
    Attribute::string("givenName", "The given name."),
    Attribute::string("middleName", "Middle names."),
    Attribute::string("honorificPrefix", "Titles before the name."),
    Attribute::string("honorificSuffix", "Suffixes after the name."),
];

const EMAILS: &[Attribute] = &[VALUE, DISPLAY, TYPE.suggest(&["work", "home", "other"]), PRIMARY];
const PHONES: &[Attribute] = &[
    VALUE,
    DISPLAY,
    TYPE.suggest(&["work", "home", "mobile", "fax", "pager", "other"]),
    PRIMARY,
];
const IMS: &[Attribute] = &[VALUE, DISPLAY, TYPE, PRIMARY];
const PHOTOS: &[Attribute] = &[
    Attribute::reference("value", &["external"], "The URL of the picture."),
    DISPLAY,
    TYPE.suggest(&["photo", "thumbnail"]),
    PRIMARY,
];
const ADDRESSES: &[Attribute] = &[
    Attribute::string("formatted", "The whole address, as it would be printed."),
    Attribute::string("streetAddress", "Street, house number and the like."),
    Attribute::string("locality", "The city."),
    Attribute::string("region", "The state or region."),
    Attribute::string("postalCode", "The postal code."),
    Attribute::string("country", "The country, as an ISO 3166-1 alpha-2 code."),
    TYPE.suggest(&["work", "home", "other"]),
    PRIMARY,
];
const PLAIN: &[Attribute] = &[VALUE, DISPLAY, TYPE, PRIMARY];
const CERTIFICATES: &[Attribute] = &[
    Attribute::new("value", Kind::Binary, "A DER certificate in base64."),
    DISPLAY,
    TYPE,
    PRIMARY,
];
const USER_GROUPS: &[Attribute] = &[
    Attribute::string("value", "The id of the group.")
        .case_exact()
        .mutability(Mutability::ReadOnly),
    Attribute::reference("$ref", &["Group"], "The URL of the group.").mutability(Mutability::ReadOnly),
    Attribute::string("display", "The name of the group.").mutability(Mutability::ReadOnly),
    Attribute::string("type", "Whether the membership is direct or inherited.")
        .suggest(&["direct", "indirect"])
        .mutability(Mutability::ReadOnly),
];

/// `urn:ietf:params:scim:schemas:core:2.0:User`.
pub static USER: Schema = Schema {
    id: urn::USER,
    aliases: &[
        "urn:scim:schemas:core:1.0",
        "urn:scim:schemas:core:2.0",
        "urn:scim:schemas:core:2.0:User",
    ],
    name: "User",
    description: "A user account.",
    attributes: &[
        Attribute::string(
            "userName",
            "What the user signs in with; unique, whatever its letter case.",
        )
        .required()
        .unique(Uniqueness::Server),
        Attribute::complex("name", NAME, "The parts of the user's name."),
        Attribute::string("displayName", "The name to show."),
        Attribute::string("nickName", "A casual name."),
        Attribute::reference("profileUrl", &["external"], "The URL of the user's profile page."),
        Attribute::string("title", "The user's title, such as their position."),
        Attribute::string("userType", "How the organisation relates to the user."),
        Attribute::string("preferredLanguage", "The user's language, as in Accept-Language."),
        Attribute::string("locale", "The user's locale, such as en-US."),
        Attribute::string("timezone", "The user's time zone, such as Europe/Zurich."),
        Attribute::new("active", Kind::Boolean, "Whether the user may use the service.").assume(true),
        Attribute::string(
            "password",
            "Accepted and thrown away: people sign in through their provider.",
        )
        .mutability(Mutability::WriteOnly)
        .returned(Returned::Never),
        Attribute::list("emails", EMAILS, "E-mail addresses."),
        Attribute::list("phoneNumbers", PHONES, "Telephone numbers."),
        Attribute::list("ims", IMS, "Instant messaging addresses."),
        Attribute::list("photos", PHOTOS, "Pictures of the user."),
        Attribute::list("addresses", ADDRESSES, "Postal addresses."),
        Attribute::list(
            "groups",
            USER_GROUPS,
            "The groups that have the user as a member.",
        )
        .mutability(Mutability::ReadOnly),
        Attribute::list("entitlements", PLAIN, "What the user is entitled to."),
        Attribute::list("roles", PLAIN, "The user's roles."),
        Attribute::list(
            "x509Certificates",
            CERTIFICATES,
            "Certificates issued to the user.",
        ),
    ],
};

const MEMBERS: &[Attribute] = &[
    Attribute::string("value", "The id of the member.")
        .case_exact()
        .mutability(Mutability::Immutable),
    Attribute::reference("$ref", &["User", "Group"], "The URL of the member.")
        .mutability(Mutability::Immutable),
    Attribute::string("type", "What the member is.")
        .suggest(&["User", "Group"])
        .mutability(Mutability::Immutable),
    Attribute::string("display", "The name of the member.")
        .mutability(Mutability::ReadOnly)
        .returned(Returned::Request),
];

/// `urn:ietf:params:scim:schemas:core:2.0:Group`.
pub static GROUP: Schema = Schema {
    id: urn::GROUP,
    aliases: &[
        "urn:scim:schemas:core:1.0",
        "urn:scim:schemas:core:2.0",
        "urn:scim:schemas:core:2.0:Group",
    ],
    name: "Group",
    description: "A group of users.",
    attributes: &[
        Attribute::string("displayName", "The name of the group.").required(),
        Attribute::list("members", MEMBERS, "Who is in the group."),
    ],
};

const MANAGER: &[Attribute] = &[
    Attribute::string("value", "The id of the user's manager.").case_exact(),
    Attribute::reference("$ref", &["User"], "The URL of the user's manager."),
    Attribute::string("displayName", "The manager's name.").mutability(Mutability::ReadOnly),
];

/// `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User`.
pub static ENTERPRISE_USER: Schema = Schema {
    id: urn::ENTERPRISE_USER,
    aliases: &[
        "urn:scim:schemas:extension:enterprise:1.0",
        "urn:scim:schemas:extension:enterprise:2.0",
        "urn:scim:schemas:extension:enterprise:2.0:User",
    ],
    name: "EnterpriseUser",
    description: "What an organisation records about its people.",
    attributes: &[
        Attribute::string(
            "employeeNumber",
            "The number that the organisation gave the person.",
        ),
        Attribute::string("costCenter", "A cost centre."),
        Attribute::string("organization", "An organisation."),
        Attribute::string("division", "A division."),
        Attribute::string("department", "A department."),
        Attribute::complex("manager", MANAGER, "The person's manager."),
    ],
};

/// Users, with the enterprise extension.
pub static USER_TYPE: ResourceType = ResourceType {
    name: "User",
    endpoint: "/Users",
    description: "User accounts",
    schema: &USER,
    extensions: &[Extension {
        schema: &ENTERPRISE_USER,
        required: false,
    }],
    member_attribute: None,
};

/// Groups, whose members are kept apart.
pub static GROUP_TYPE: ResourceType = ResourceType {
    name: "Group",
    endpoint: "/Groups",
    description: "Groups of users",
    schema: &GROUP,
    extensions: &[],
    member_attribute: Some("members"),
};
