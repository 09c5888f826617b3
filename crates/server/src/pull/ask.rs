//! Questions to a source that a human waits for: does the connection work, what is this group, is this person still in.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use usher_core::{
    AdapterError, CheckReport, GroupNaming, GroupQuery, GroupSummary, PersonId, ReadOutcome, ReadRequest,
    ReadScope, RemoteGroupId, RoomId, Timestamp,
};
use usher_engine::pull::{Lease, Question, Session};
use usher_engine::{Actor, Cause, Engine, EngineError};
use usher_storage::query;
use usher_storage::query::pull_run::PullCounts;

use super::held::while_held;
use super::read::{ReadError, counts_of, keep_tenant, pin_tenant, plan};
use super::readers::{Reader, Readers};

/// Who looks at an order waits no longer for what its source says.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked whether another process still reads a source that a human asks about.
const TURN: Duration = Duration::from_millis(200);
/// How long a human waits for that.
const TURNS: Duration = Duration::from_secs(15);
const BUSY: &str = "another process reads it at the moment";
/// Groups of one name that are looked at.
const NAMESAKES: usize = 50;

/// What a check found, and whether the directory is the one that was read before.
#[derive(Debug)]
pub(crate) struct Checked {
    /// What the adapter found.
    pub(crate) report: CheckReport,
    /// Why the source is not read though the connection works.
    pub(crate) refusal: Option<EngineError>,
}

/// Calls the provider as a read would.
///
/// # Errors
/// When nothing at all could be found out.
pub(crate) async fn check(engine: &Engine, reader: &Reader) -> Result<Checked, AdapterError> {
    let report = reader.adapter.check().await?;
    let mut refusal = None;
    if let (true, Some(tenant)) = (reader.mode.pulls(), report.tenant.clone()) {
        let name = reader.name.to_string();
        let row = engine
            .read(move |tx| {
                let name = name.clone();
                Box::pin(async move { Ok::<_, EngineError>(query::source::by_name(tx, &name).await?) })
            })
            .await;
        refusal = match row {
            Ok(Some(row)) => keep_tenant(engine, row.key, tenant).await.err(),
            Ok(None) => None,
            Err(error) => Some(error),
        };
    }
    Ok(Checked { report, refusal })
}

/// What a source says of a group that somebody names.
#[derive(Debug, Clone)]
pub(crate) struct SourceSays {
    /// When it was asked.
    pub(crate) asked: Timestamp,
    /// The group, when there is one and only one.
    pub(crate) group: Option<GroupSummary>,
    /// What a human should know before going on.
    pub(crate) warnings: Vec<String>,
}

/// Asks a source that is read about a group; nothing for one that is only pushed to. Never an error: that the source
/// could not be asked is something to know.
pub(crate) async fn about_group(
    engine: &Engine,
    reader: &Reader,
    text: &str,
    named_by: GroupNaming,
) -> Option<SourceSays> {
    if !reader.mode.pulls() {
        return None;
    }
    let asked = engine.now();
    let text = text.trim();
    let query = match named_by {
        GroupNaming::Id => GroupQuery {
            // Without an id the query would mean any group.
            id: Some(RemoteGroupId::new(text).ok()?),
            limit: 1,
            ..GroupQuery::default()
        },
        GroupNaming::Name => GroupQuery {
            name_prefix: Some(text.to_owned()),
            limit: NAMESAKES,
            ..GroupQuery::default()
        },
    };
    let answer = tokio::time::timeout(PATIENCE, reader.adapter.list_groups(query)).await;
    let mut found = match answer {
        Ok(Ok(found)) => found,
        failed => {
            let reason = match failed {
                Ok(Err(error)) => error.to_string(),
                _ => "it did not answer in time".to_owned(),
            };
            let warning = format!(
                "source '{}' could not be asked about the group: {reason}",
                reader.name
            );
            return Some(SourceSays {
                asked,
                group: None,
                warnings: vec![warning],
            });
        }
    };
    if named_by == GroupNaming::Name {
        found.retain(|group| group.display_name.to_lowercase() == text.to_lowercase());
    }
    let several = found.len();
    let group = found.pop().filter(|_| several == 1);
    let warnings = match &group {
        Some(group) => warnings(reader, group, named_by),
        None if several == 0 => vec![format!(
            "source '{}' has no such group, or may not show it: compare the group with its page at the provider",
            reader.name
        )],
        None => vec![format!(
            "source '{}' has {several} groups of this name: name the one that is meant by its id",
            reader.name
        )],
    };
    Some(SourceSays {
        asked,
        group,
        warnings,
    })
}

fn warnings(reader: &Reader, group: &GroupSummary, named_by: GroupNaming) -> Vec<String> {
    let mut warnings = Vec::new();
    if named_by == GroupNaming::Name {
        warnings.push(format!(
            "name the group by its id, {}: only a group that is named so is read before a push brings it",
            group.id
        ));
    }
    if group.members == Some(0) {
        warnings.push("nobody is in the group yet".to_owned());
    }
    if let Some(guests @ 1..) = group.guests {
        warnings.push(format!(
            "{guests} of its members are guests: they get into no room"
        ));
    }
    if let Some(nested @ 1..) = group.nested_groups {
        let nests = reader.adapter.describe().capabilities.nested_groups;
        let next = if nests {
            "only when the mapping says that nested groups count"
        } else {
            "only when these groups are mapped themselves"
        };
        warnings.push(format!(
            "{nested} groups are members of it: the people in them come in {next}"
        ));
    }
    if group.assigned == Some(true) {
        warnings.push(
            "the group is assigned to the application already: its people come in once the mapping is confirmed"
                .to_owned(),
        );
    }
    warnings
}

/// Asks every source that is read whether a person still belongs into a room. What they say enters the directory; that
/// one could not be asked is kept too, and a restore that rests on it is refused.
///
/// # Errors
/// What the engine or the database says.
pub(crate) async fn about_person(
    engine: &Engine,
    readers: &Readers,
    cause: &Cause,
    room: RoomId,
    person: PersonId,
) -> Result<(), EngineError> {
    let questions = engine.questions(room, person).await?;
    let asked = questions
        .into_iter()
        .map(|question| ask(engine, readers, cause, question));
    join_all(asked).await.into_iter().collect()
}

async fn ask(
    engine: &Engine,
    readers: &Readers,
    cause: &Cause,
    question: Question,
) -> Result<(), EngineError> {
    let (begun, node) = (engine.now(), engine.node());
    let answer = match readers.get(question.source.as_str()) {
        Ok(reader) => match put(engine, reader, cause, &question).await {
            Err(error) if error.is_lost() => Err(("busy", BUSY.to_owned())),
            Err(ReadError::Engine(error @ EngineError::Storage(_))) => return Err(error),
            Err(error) => Err((error.kind(), error.reason())),
            Ok((counts, None)) => Ok(counts),
            Ok((_, Some(unseen))) => Err(("unknown", unseen)),
        },
        Err(error) => Err(("invalid_config", error.to_string())),
    };
    if let Err((kind, reason)) = &answer {
        tracing::warn!(source.name = %question.source, kind, reason, "a source could not be asked about a person");
    }
    engine
        .write(cause.clone(), move |unit| {
            let (question, answer) = (question.clone(), answer.clone());
            Box::pin(async move {
                let about = (&question.user, question.person);
                unit.note_asked(question.key, about, (begun, node), answer)
                    .await
                    .map(|_| ())
            })
        })
        .await
}

/// Asks one source; what it saw, and why it did not see all of it. One process at a time reads a source: where this one
/// reads it anyway, the question goes beside that read; where another one does, it waits for its turn.
async fn put(
    engine: &Engine,
    reader: &Reader,
    cause: &Cause,
    question: &Question,
) -> Result<(PullCounts, Option<String>), ReadError> {
    let begun = Instant::now();
    let mut beat = tokio::time::interval(TURN);
    loop {
        beat.tick().await;
        let answer = match reader.reading() {
            Some(lease) => put_by(engine, reader, cause, (question, lease)).await,
            None => match engine.take_lease(question.key, cause.clone()).await? {
                Some(lease) => put_alone(engine, reader, cause, (question, lease)).await,
                None => Err(EngineError::LeaseLost.into()),
            },
        };
        match answer {
            // The read beside which it was asked ended, or somebody else reads.
            Err(error) if error.is_lost() && begun.elapsed() < TURNS => {}
            answer => return answer,
        }
    }
}

/// Asks by a lease that was taken for it and that goes back afterwards.
async fn put_alone(
    engine: &Engine,
    reader: &Reader,
    cause: &Cause,
    (question, lease): (&Question, Lease),
) -> Result<(PullCounts, Option<String>), ReadError> {
    let asked = put_by(engine, reader, cause, (question, lease));
    let answer = while_held(engine, lease, asked).await;
    engine.give_lease_back(lease, cause.clone()).await?;
    answer.unwrap_or_else(|| Err(EngineError::LeaseLost.into()))
}

async fn put_by(
    engine: &Engine,
    reader: &Reader,
    cause: &Cause,
    (question, lease): (&Question, Lease),
) -> Result<(PullCounts, Option<String>), ReadError> {
    pin_tenant(engine, reader, question.key).await?;
    let request = ReadRequest {
        scope: ReadScope::Person {
            user: question.user.clone(),
            groups: question.groups.clone(),
        },
        checkpoint: None,
    };
    let cause = Cause {
        actor: Actor::Source(reader.name.to_string()),
        ..cause.clone()
    };
    let mut session = Session::begin(engine, cause, plan(engine, reader, lease, &request)).await?;
    let progress = session.progress();
    reader.adapter.read(request, &mut session).await?;
    let summary = session.finish(ReadOutcome::default()).await?;
    let unseen = summary
        .unknown
        .first()
        .map(|(what, reason)| format!("{what} could not be seen: {reason}"));
    Ok((counts_of(&progress), unseen))
}
