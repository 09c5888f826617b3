//! The configuration comes into force.

use usher_core::{Mode, SourceState};
use usher_engine::policy_plan::Adopted;
use usher_engine::source::ConfiguredSource;
use usher_engine::{Actor, Cause, Engine, EngineError, Unit};
use usher_storage::query;
use usher_storage::query::source::SourceRow;

use crate::config::Rules;

/// What the configured sources mean for those that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sources {
    /// These are all: others are frozen, and changed rules are proposed. The server says so.
    Exactly,
    /// These too: what is not known yet is added, and nothing else happens. A command says so, because it may have
    /// been given another file than the server.
    AtLeast,
}

pub(crate) async fn apply(engine: &Engine, rules: &Rules, sources: Sources) -> Result<(), EngineError> {
    if sources == Sources::AtLeast && is_known(engine, rules).await? {
        return Ok(());
    }
    let rules = rules.clone();
    let cause = Cause::new(Actor::Usher("configuration".into()));
    let adopted = engine
        .write(cause, move |unit| {
            let rules = rules.clone();
            Box::pin(async move { apply_in(unit, &rules, sources).await })
        })
        .await?;
    if let Adopted::Proposed { waiting } = adopted {
        tracing::warn!(
            waiting = waiting.join(", "),
            "the configuration changes rules that decide who gets in: they wait for a confirmation"
        );
    }
    Ok(())
}

async fn is_known(engine: &Engine, rules: &Rules) -> Result<bool, EngineError> {
    let names: Vec<String> = rules
        .sources
        .iter()
        .map(|source| source.name.to_string())
        .collect();
    engine
        .read(move |tx| {
            let names = names.clone();
            Box::pin(async move {
                if query::policy::version(tx).await?.is_none() {
                    return Ok(false);
                }
                let known = query::source::all(tx).await?;
                Ok(names.iter().all(|name| known.iter().any(|row| row.name == *name)))
            })
        })
        .await
}

async fn apply_in(unit: &mut Unit<'_, '_>, rules: &Rules, sources: Sources) -> Result<Adopted, EngineError> {
    let is_first = query::policy::version(unit.tx()).await?.is_none();
    let mut configured: Vec<ConfiguredSource> = rules
        .sources
        .iter()
        .map(|source| ConfiguredSource {
            name: source.name.clone(),
            kind: source.kind.clone(),
            mode: source.mode,
            tenant: None,
        })
        .collect();
    if sources == Sources::AtLeast {
        let known = query::source::all(unit.tx()).await?;
        configured.retain(|source| known.iter().all(|row| row.name != source.name.as_str()));
        configured.extend(
            known
                .iter()
                .filter(|row| row.state == SourceState::Active)
                .filter_map(as_configured),
        );
    }
    unit.register_sources(&configured).await?;
    if is_first || sources == Sources::Exactly {
        unit.adopt_or_propose(&rules.policy).await
    } else {
        Ok(Adopted::Unchanged)
    }
}

fn as_configured(row: &SourceRow) -> Option<ConfiguredSource> {
    let mode = match row.mode.as_str() {
        "push" => Mode::Push,
        "pull" => Mode::Pull,
        _ => Mode::Both,
    };
    Some(ConfiguredSource {
        name: row.name.parse().ok()?,
        kind: row.kind.clone(),
        mode,
        tenant: None,
    })
}
