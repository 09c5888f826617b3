//! `usher mapping create|list|plan|confirm|change|replace|retire|bind|unbind`.

use clap::Subcommand;
use usher_core::{MappingId, Rejoin};
use usher_engine::mapping::{GroupRef, MappingChange, NewMapping, Terms};
use usher_storage::query;

use super::act::{Consent, Why};
use super::room::ALL;
use super::{CliError, Context, show};
use crate::api::name;
use crate::api::view::{MappingView, PlanView, SettledView, mapping, mappings, settled};
use crate::pull::Readers;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a mapping, pending and without effect.
    Create {
        /// The room, by name or id.
        room: String,
        #[command(flatten)]
        group: Group,
        #[command(flatten)]
        terms: TermsArguments,
        /// The room or the group has another mapping, and this one is wanted too.
        #[arg(long)]
        additional: bool,
        #[command(flatten)]
        why: Why,
    },
    /// List mappings, retired ones included.
    List {
        /// Those of this room alone, by name or id.
        #[arg(long)]
        room: Option<String>,
    },
    /// Show what confirming a mapping would do.
    Plan {
        /// The mapping, by id, or by the name of its room.
        mapping: String,
    },
    /// Confirm a mapping as its plan shows it.
    Confirm {
        /// The mapping, by id, or by the name of its room.
        mapping: String,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        why: Why,
    },
    /// Change how people start by a mapping from now on.
    Change {
        /// The mapping, by id, or by the name of its room.
        mapping: String,
        #[command(flatten)]
        terms: TermsArguments,
        #[command(flatten)]
        why: Why,
    },
    /// Take back to which group a pending mapping is bound.
    Unbind {
        /// The mapping, by id, or by the name of its room.
        mapping: String,
        #[command(flatten)]
        why: Why,
    },
    /// Put another group in the place of a mapping's, as the plan shows it.
    Replace {
        /// The mapping, by id, or by the name of its room.
        mapping: String,
        #[command(flatten)]
        group: Group,
        #[command(flatten)]
        terms: TermsArguments,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        why: Why,
    },
    /// Retire a mapping as the plan shows it: what it alone backed ends.
    Retire {
        /// The mapping, by id, or by the name of its room.
        mapping: String,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        why: Why,
    },
    /// Bind a mapping that names its group by a name to one group.
    Bind {
        /// The mapping, by id, or by the name of its room.
        mapping: String,
        /// The group's SCIM id.
        group: String,
        #[command(flatten)]
        why: Why,
    },
}

/// Which group.
#[derive(Debug, Clone, clap::Args)]
struct Group {
    /// The group: its immutable id at the source, its SCIM id, or its display name.
    #[arg(long, value_name = "ID|NAME")]
    group: String,
    /// The group's source; not needed where there is only one.
    #[arg(long)]
    source: Option<String>,
}

/// How people start.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct TermsArguments {
    /// The level at which people start.
    #[arg(long)]
    level: Option<String>,
    /// What happens when somebody comes back: ask, never or auto.
    #[arg(long)]
    rejoin: Option<Rejoin>,
    /// For --rejoin auto: within how many days.
    #[arg(long, value_name = "DAYS", requires = "rejoin")]
    rejoin_days: Option<u32>,
    /// Members of groups inside the group come in too; only for a source that is read.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(super) nested: Option<bool>,
}

impl From<TermsArguments> for Terms {
    fn from(arguments: TermsArguments) -> Self {
        Self {
            level: arguments.level,
            rejoin: arguments.rejoin,
            rejoin_days: arguments.rejoin_days,
            nested: arguments.nested,
        }
    }
}

pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), CliError> {
    match arguments.verb {
        Verb::Create {
            room,
            group,
            terms,
            additional,
            why,
        } => create(context, room, group, terms, additional, &why),
        Verb::List { room } => list(context, room),
        Verb::Plan { mapping } => {
            let plan = context.with_engine(|engine| async move {
                let id = find(&engine, mapping).await?;
                Ok(PlanView::from(engine.plan_mapping(id).await?))
            })?;
            context.output.show(&plan, show::plan)
        }
        Verb::Confirm {
            mapping,
            consent,
            why,
        } => confirm(context, mapping, &consent, &why),
        Verb::Change {
            mapping: text,
            terms,
            why,
        } => {
            let readers = context.readers()?;
            context.do_and_show(&why, one, move |unit| {
                let (text, terms, readers) = (text.clone(), terms.clone(), readers.clone());
                Box::pin(async move {
                    let before = name::mapping(unit.tx(), &text).await?;
                    readers
                        .refuse_nested(unit.tx(), before.source, terms.nested)
                        .await?;
                    let change = MappingChange {
                        level: terms.level,
                        rejoin: terms.rejoin,
                        rejoin_days: terms.rejoin_days,
                        nested: terms.nested,
                    };
                    let row = unit.change_mapping(before.id, change).await?;
                    Ok(mapping(unit.tx(), row).await?)
                })
            })
        }
        Verb::Unbind { mapping: text, why } => context.do_and_show(&why, one, move |unit| {
            let text = text.clone();
            Box::pin(async move {
                let id = name::mapping(unit.tx(), &text).await?.id;
                let row = unit.unbind_mapping(id).await?;
                Ok(mapping(unit.tx(), row).await?)
            })
        }),
        Verb::Replace {
            mapping,
            group,
            terms,
            consent,
            why,
        } => replace(context, mapping, group, terms.into(), &consent, &why),
        Verb::Retire {
            mapping,
            consent,
            why,
        } => retire(context, mapping, &consent, &why),
        Verb::Bind {
            mapping: text,
            group,
            why,
        } => context.do_and_show(&why, one, move |unit| {
            let (text, group) = (text.clone(), group.clone());
            Box::pin(async move {
                let id = name::mapping(unit.tx(), &text).await?.id;
                let row = unit.bind_mapping(id, name::id("group", &group)?).await?;
                Ok(mapping(unit.tx(), row).await?)
            })
        }),
    }
}

fn create(
    context: &Context<'_>,
    room: String,
    group: Group,
    terms: TermsArguments,
    additional: bool,
    why: &Why,
) -> Result<(), CliError> {
    let readers = context.readers()?;
    context.do_and_show(why, one, move |unit| {
        let (room, group, terms) = (room.clone(), group.clone(), terms.clone());
        let readers = readers.clone();
        Box::pin(async move {
            let room = name::room(unit.tx(), &room).await?.id;
            let group = name::group(unit.tx(), group.source.as_deref(), &group.group, None).await?;
            readers
                .refuse_nested(unit.tx(), group.source, terms.nested)
                .await?;
            let new = NewMapping {
                room,
                group,
                terms: terms.into(),
                additional,
            };
            let row = unit.create_mapping(new).await?;
            Ok(mapping(unit.tx(), row).await?)
        })
    })
}

fn list(context: &Context<'_>, room: Option<String>) -> Result<(), CliError> {
    let shown = context.look(move |tx| {
        let room = room.clone();
        Box::pin(async move {
            let rows = match &room {
                Some(room) => {
                    let room = name::room(tx, room).await?.id;
                    query::mapping::of_room(tx, room).await?
                }
                None => query::mapping::page(tx, None, ALL).await?,
            };
            Ok(mappings(tx, rows).await?)
        })
    })?;
    context.output.show(&shown, |shown| show::mappings(shown))
}

fn confirm(context: &Context<'_>, text: String, consent: &Consent, why: &Why) -> Result<(), CliError> {
    let (id, plan) = context.with_engine(|engine| async move {
        let id = find(&engine, text).await?;
        Ok((id, PlanView::from(engine.plan_mapping(id).await?)))
    })?;
    let digest = consent.given(&plan.digest, &show::plan(&plan))?;
    context.do_and_show(why, settled_text, move |unit| {
        let digest = digest.clone();
        Box::pin(async move {
            let done = unit.confirm_mapping(id, &digest).await?;
            Ok(settled(unit.tx(), done).await?)
        })
    })
}

fn retire(context: &Context<'_>, text: String, consent: &Consent, why: &Why) -> Result<(), CliError> {
    let (id, plan) = context.with_engine(|engine| async move {
        let id = find(&engine, text).await?;
        Ok((id, PlanView::from(engine.plan_retire_mapping(id).await?)))
    })?;
    let digest = consent.given(&plan.digest, &show::plan(&plan))?;
    context.do_and_show(why, settled_text, move |unit| {
        let digest = digest.clone();
        Box::pin(async move {
            let done = unit.retire_mapping(id, &digest).await?;
            Ok(settled(unit.tx(), done).await?)
        })
    })
}

fn replace(
    context: &Context<'_>,
    text: String,
    group: Group,
    terms: Terms,
    consent: &Consent,
    why: &Why,
) -> Result<(), CliError> {
    let planned = terms.clone();
    let readers = context.readers()?;
    let (id, group, plan) = context.with_engine(|engine| async move {
        let (id, group) = meant(&engine, &readers, text, group, planned.nested).await?;
        let plan = engine.plan_replace_mapping(id, group.clone(), planned).await?;
        Ok((id, group, PlanView::from(plan)))
    })?;
    let digest = consent.given(&plan.digest, &show::plan(&plan))?;
    context.do_and_show(why, settled_text, move |unit| {
        let (group, terms, digest) = (group.clone(), terms.clone(), digest.clone());
        Box::pin(async move {
            let done = unit.replace_mapping(id, group, terms, &digest).await?;
            Ok(settled(unit.tx(), done).await?)
        })
    })
}

async fn meant(
    engine: &usher_engine::Engine,
    readers: &Readers,
    text: String,
    group: Group,
    nested: Option<bool>,
) -> Result<(MappingId, GroupRef), CliError> {
    let readers = readers.clone();
    let found = engine
        .read(move |tx| {
            let (text, group, readers) = (text.clone(), group.clone(), readers.clone());
            Box::pin(async move {
                let row = name::mapping(tx, &text).await?;
                let source = name::source_or(tx, group.source.as_deref(), row.source).await?;
                let group = name::group(tx, Some(&source), &group.group, None).await?;
                readers.refuse_nested(tx, group.source, nested).await?;
                Ok::<_, CliError>((row.id, group))
            })
        })
        .await?;
    Ok(found)
}

async fn find(engine: &usher_engine::Engine, text: String) -> Result<MappingId, CliError> {
    engine
        .read(move |tx| {
            let text = text.clone();
            Box::pin(async move { Ok(name::mapping(tx, &text).await?.id) })
        })
        .await
}

fn one(view: &MappingView) -> String {
    show::mappings(std::slice::from_ref(view))
}

fn settled_text(view: &SettledView) -> String {
    let mut text = one(&view.mapping);
    if !view.complete {
        text.push_str("\nIt goes on in the background: the people are many.");
    }
    text
}
