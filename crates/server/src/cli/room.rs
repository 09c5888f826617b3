//! `usher room create|list|show|portal|archive|reopen|strays`.

use clap::Subcommand;
use usher_core::RoomModel;
use usher_engine::room::NewRoom;
use usher_storage::query;

use super::act::Why;
use super::output::table;
use super::{CliError, Context, show};
use crate::api::rooms::strays_in;
use crate::api::view::{MembershipView, RoomView, StrayView, memberships};
use crate::api::{ApiError, name};

/// Everything that fits on one list at the command line.
pub(super) const ALL: u32 = 1_000_000;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Take a room over that the portal has already; new rooms come by an order.
    Create {
        /// The name.
        name: String,
        /// Whether the room is open or closed.
        #[arg(long, default_value = "closed", value_parser = <RoomModel as std::str::FromStr>::from_str)]
        model: RoomModel,
        /// A special feature; may be given several times.
        #[arg(long = "feature", value_name = "TEXT")]
        features: Vec<String>,
        #[command(flatten)]
        why: Why,
    },
    /// List rooms, archived ones included.
    List,
    /// Show a room and its members.
    Show {
        /// The room, by name or id.
        room: String,
    },
    /// Report the portal's id and address of a room.
    Portal {
        /// The room, by name or id.
        room: String,
        /// The portal's id of the room.
        #[arg(long)]
        portal_id: String,
        /// The portal's https address of the room.
        #[arg(long)]
        url: String,
        #[command(flatten)]
        why: Why,
    },
    /// Archive a room: access is denied and decisions are frozen; memberships are kept.
    Archive {
        /// The room, by name or id.
        room: String,
        #[command(flatten)]
        why: Why,
    },
    /// Reopen an archived room, by id: its members are decided afresh.
    Reopen {
        /// The room's id.
        room: String,
        #[command(flatten)]
        why: Why,
    },
    /// List memberships that no group asks for and that stay.
    Strays {
        /// The room, by name or id; all rooms when left out.
        room: Option<String>,
    },
}

/// A room with its members.
#[derive(Debug, serde::Serialize)]
struct Shown {
    #[serde(flatten)]
    room: RoomView,
    members: Vec<MembershipView>,
}

pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), CliError> {
    match arguments.verb {
        Verb::Create {
            name,
            model,
            features,
            why,
        } => context.do_and_show(&why, show::room, move |unit| {
            let room = NewRoom {
                name: name.clone(),
                model,
                features: features.clone(),
            };
            Box::pin(async move { Ok(RoomView::from(unit.create_room(room).await?)) })
        }),
        Verb::List => {
            let rooms: Vec<RoomView> = context.look(|tx| {
                Box::pin(async move {
                    let rows = query::room::page(tx, None, ALL).await?;
                    Ok(rows.into_iter().map(RoomView::from).collect())
                })
            })?;
            context.output.show(&rooms, |rooms| show::rooms(rooms))
        }
        Verb::Show { room } => {
            let shown = context.look(move |tx| {
                let room = room.clone();
                Box::pin(async move {
                    let room = name::room(tx, &room).await?;
                    let rows = query::membership::page_active(tx, room.id, None, ALL).await?;
                    Ok(Shown {
                        room: room.into(),
                        members: memberships(tx, rows).await?,
                    })
                })
            })?;
            context.output.show(&shown, |shown| {
                format!(
                    "{}\n{}",
                    show::room(&shown.room),
                    show::memberships(&shown.members)
                )
            })
        }
        Verb::Portal {
            room,
            portal_id,
            url,
            why,
        } => context.do_and_show(&why, show::room, move |unit| {
            let (room, portal_id, url) = (room.clone(), portal_id.clone(), url.clone());
            Box::pin(async move {
                let room = name::room(unit.tx(), &room).await?.id;
                Ok(RoomView::from(unit.room_ready(room, &portal_id, &url).await?))
            })
        }),
        Verb::Archive { room, why } => context.do_and_show(&why, show::room, move |unit| {
            let room = room.clone();
            Box::pin(async move {
                let room = name::room(unit.tx(), &room).await?.id;
                Ok(RoomView::from(unit.archive_room(room).await?))
            })
        }),
        Verb::Reopen { room, why } => context.do_and_show(&why, show::room, move |unit| {
            let room = room.clone();
            Box::pin(async move {
                let room = name::room(unit.tx(), &room).await?.id;
                Ok(RoomView::from(unit.reopen_room(room).await?))
            })
        }),
        Verb::Strays { room } => strays(context, room),
    }
}

fn strays(context: &Context<'_>, room: Option<String>) -> Result<(), CliError> {
    let strays: Vec<StrayView> = context.look(move |tx| {
        let room = room.clone();
        Box::pin(async move {
            let room = match &room {
                Some(room) => Some(name::room(tx, room).await?.id),
                None => None,
            };
            let rows = strays_in(tx, room, None, ALL).await?;
            Ok::<_, ApiError>(rows.into_iter().map(StrayView::from).collect())
        })
    })?;
    context.output.show(&strays, |strays| {
        let rows = strays
            .iter()
            .map(|stray| {
                [
                    stray.membership.to_string(),
                    stray.person.to_string(),
                    stray.room.name.clone(),
                    stray.level.clone(),
                    stray.cause.to_string().replace('_', " "),
                    show::or_nothing(stray.since.as_ref()),
                ]
            })
            .collect();
        table(
            ["Membership", "Person", "Room", "Level", "Stays because", "Since"],
            rows,
            "There are no strays.",
        )
    })
}
