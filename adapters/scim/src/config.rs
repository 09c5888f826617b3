//! The settings of a source of this kind.

use std::time::Duration;

use serde::Deserialize;
use usher_core::{GroupIdentity, GuestMark, HeaderSpelling, PushProfile, Reactivation};

use crate::PullConfig;

/// The settings of a source of this kind; the README explains each.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScimConfig {
    /// What a reactivation means.
    pub reactivation: Reactivation,
    /// Under `restore`, rows of a user inactive for longer go dormant.
    pub dormant_after_days: u32,
    /// Whether a user's `externalId` is believed to be immutable.
    pub trusts_external_id: bool,
    /// Texts in a name or address that mark a guest, in any case.
    pub guest_address_contains: Vec<String>,
    /// Values of `userType` that mark a guest, in any case.
    pub guest_user_types: Vec<String>,
    /// Which id of a group an order should name.
    pub group_identity: GroupIdentity,
    /// Whether a deleted user's name arrives with 32 hexadecimal digits in front.
    pub tombstone_renames: bool,
    /// Whether `If-Match` is honoured when it is sent.
    pub honours_if_match: bool,
    /// How the provider is read; without it the source is only pushed to.
    pub pull: Option<PullConfig>,
}

impl Default for ScimConfig {
    fn default() -> Self {
        Self {
            reactivation: Reactivation::Dormant,
            dormant_after_days: 90,
            trusts_external_id: false,
            guest_address_contains: vec!["#EXT#".into()],
            guest_user_types: Vec::new(),
            group_identity: GroupIdentity::ExternalId,
            tombstone_renames: false,
            honours_if_match: true,
            pull: None,
        }
    }
}

impl From<&ScimConfig> for PushProfile {
    fn from(config: &ScimConfig) -> Self {
        let addresses = config
            .guest_address_contains
            .iter()
            .cloned()
            .map(GuestMark::AddressContains);
        let types = config.guest_user_types.iter().cloned().map(GuestMark::UserType);
        Self {
            reactivation: config.reactivation,
            dormant_after: Duration::from_secs(u64::from(config.dormant_after_days) * 86_400),
            header: HeaderSpelling::RawOrBearer,
            tombstone_renames: config.tombstone_renames,
            guest_marks: addresses.chain(types).collect(),
            trusts_external_id: config.trusts_external_id,
            only_guids: false,
            group_identity: config.group_identity,
            honours_if_match: config.honours_if_match,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_settings_the_profile_is_the_careful_one() {
        assert_eq!(PushProfile::from(&ScimConfig::default()), PushProfile::default());
    }

    #[test]
    fn every_setting_reaches_the_profile() {
        let config: ScimConfig = serde_json::from_str(
            r#"{"reactivation": "restore", "dormant_after_days": 30, "trusts_external_id": true,
                "guest_address_contains": [], "guest_user_types": ["Guest"], "group_identity": "display_name",
                "tombstone_renames": true, "honours_if_match": false}"#,
        )
        .expect("known settings");
        let profile = PushProfile::from(&config);
        assert_eq!(profile.reactivation, Reactivation::Restore);
        assert_eq!(profile.dormant_after, Duration::from_secs(30 * 86_400));
        assert_eq!(profile.guest_marks, [GuestMark::UserType("Guest".into())]);
        assert_eq!(profile.group_identity, GroupIdentity::DisplayName);
        assert!(profile.trusts_external_id && profile.tombstone_renames && !profile.honours_if_match);
    }
}
