//! The configuration comes into force.

use usher_core::SourceState;
use usher_engine::{Actor, Cause, Engine, EngineError, Unit};
use usher_storage::{StorageError, query};

use crate::StartError;
use crate::config::Rules;

/// What the configured sources mean for those that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sources {
    /// These are all: others are frozen. The server says so.
    Exactly,
    /// These too. A command of the command line says so.
    AtLeast,
}

pub(crate) async fn apply(engine: &Engine, rules: &Rules, sources: Sources) -> Result<(), StartError> {
    let rules = rules.clone();
    engine
        .write(Cause::new(Actor::Usher("configuration".into())), move |unit| {
            let rules = rules.clone();
            Box::pin(async move { apply_in(unit, &rules, sources).await })
        })
        .await
        .map_err(|error: EngineError| StartError::Engine(error))
}

async fn apply_in(unit: &mut Unit<'_, '_>, rules: &Rules, sources: Sources) -> Result<(), EngineError> {
    let stored = query::policy::load(unit.tx()).await?;
    let configured = serde_json::to_string(&rules.policy).expect("rules are plain data");
    match stored {
        None => query::policy::put_in_force(unit.tx(), configured).await?,
        Some(stored) if sources == Sources::Exactly => {
            let proposal = (stored.active != configured).then_some(configured);
            if proposal != stored.proposed {
                query::policy::propose(unit.tx(), proposal).await?;
            }
        }
        Some(_) => {}
    }
    let now = unit.now();
    let known = query::source::all(unit.tx()).await?;
    for source in &rules.sources {
        let mode = mode_word(source.mode);
        let row = known.iter().find(|row| row.name == source.name.as_str());
        let same =
            row.is_some_and(|row| row.kind == source.kind && row.mode == mode && row.state != SourceState::Frozen);
        if !same && (row.is_none() || sources == Sources::Exactly) {
            let name = source.name.as_str();
            query::source::put(unit.tx(), name, &source.kind, mode, SourceState::Active, now).await?;
        }
    }
    Ok::<_, StorageError>(()).map_err(EngineError::from)
}

const fn mode_word(mode: usher_core::Mode) -> &'static str {
    match mode {
        usher_core::Mode::Push => "push",
        usher_core::Mode::Pull => "pull",
        usher_core::Mode::Both => "both",
    }
}
