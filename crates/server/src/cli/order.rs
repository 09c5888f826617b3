//! `usher order …`: from the request for a new room to the room in use.

use clap::Subcommand;
use usher_core::{OrderId, RoomModel};
use usher_engine::order::{Acceptance, BootstrapUser};
use usher_storage::Tx;
use usher_storage::query;

use super::act::{Consent, Why};
use super::mapping::TermsArguments;
use super::room::ALL;
use super::{CliError, Context, show};
use crate::api::orders::{OrderInput, details, mapping_of, of_input, planned, room_of};
use crate::api::view::{OrderMailView, OrderView, order};
use crate::api::{ApiError, name};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Begin an order, as a draft unless --submit is given.
    Create(Box<Create>),
    /// List orders.
    List {
        /// Those of this requester alone, by address.
        #[arg(long, value_name = "EMAIL")]
        requester: Option<String>,
    },
    /// Show an order: who acts next, what is missing and since when.
    Show(Which),
    /// Print the filled-in order e-mail.
    Mail(Which),
    /// Hand an order to the vendor.
    Submit(Step),
    /// Take an order back; --reason is needed.
    Withdraw(Step),
    /// Say no to an order; --reason is needed.
    Reject(Step),
    /// Accept an order: makes the room, the vendor's internal user in it, and the pending mapping.
    Accept(Box<Accept>),
    /// Report the portal's id and address of an order's room.
    RoomReady {
        #[command(flatten)]
        step: Step,
        /// The portal's id of the room.
        #[arg(long)]
        portal_id: String,
        /// The portal's https address of the room.
        #[arg(long)]
        url: String,
    },
    /// Confirm the mapping of an order as its plan shows it.
    Confirm {
        #[command(flatten)]
        step: Step,
        #[command(flatten)]
        consent: Consent,
    },
    /// Name another administrator, or say which person is meant.
    ChangeAdministrator {
        #[command(flatten)]
        step: Step,
        /// The company address.
        administrator: String,
        /// Which person is meant, by id, where several have the address.
        #[arg(long, value_name = "ID")]
        person: Option<String>,
    },
    /// Give the order's administrator the administrator level.
    RaiseAdministrator(Step),
    /// End the membership of the vendor's internal user.
    EndBootstrap(Step),
    /// Put the room of an order in use.
    GoLive(Step),
}

#[derive(Debug, Clone, clap::Args)]
struct Which {
    /// The order, by id or room name.
    order: String,
}

#[derive(Debug, Clone, clap::Args)]
struct Step {
    /// The order, by id or room name.
    order: String,
    #[command(flatten)]
    why: Why,
}

#[derive(Debug, Clone, clap::Args)]
struct Create {
    /// The name that the room shall have.
    room: String,
    /// The group: its immutable id at the source, or its display name.
    #[arg(long, value_name = "ID|NAME")]
    group: String,
    /// The group's source; not needed where there is only one.
    #[arg(long)]
    source: Option<String>,
    /// The company address of the room's administrator.
    #[arg(long, value_name = "EMAIL")]
    administrator: String,
    /// The administrator gets access to all content.
    #[arg(long)]
    all_content: bool,
    /// Whether the room is open or closed.
    #[arg(long, default_value = "closed", value_parser = <RoomModel as std::str::FromStr>::from_str)]
    model: RoomModel,
    /// A special feature; may be given several times.
    #[arg(long = "feature", value_name = "TEXT")]
    features: Vec<String>,
    /// How many people are expected.
    #[arg(long, value_name = "NUMBER")]
    expected: u32,
    /// For whom the order is, by address.
    #[arg(long, value_name = "EMAIL")]
    requester: String,
    /// Who orders; the organisation when left out.
    #[arg(long)]
    customer: Option<String>,
    /// Hand the order to the vendor at once.
    #[arg(long)]
    submit: bool,
    #[command(flatten)]
    why: Why,
}

#[derive(Debug, Clone, clap::Args)]
struct Accept {
    #[command(flatten)]
    step: Step,
    /// The address of the vendor's internal user who sets the room up.
    #[arg(long, value_name = "EMAIL")]
    bootstrap: String,
    /// Their name.
    #[arg(long, value_name = "NAME", default_value = "Set-up user")]
    bootstrap_name: String,
    #[command(flatten)]
    terms: TermsArguments,
}

pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), CliError> {
    match arguments.verb {
        Verb::Create(create) => self::create(context, *create),
        Verb::List { requester } => list(context, requester),
        Verb::Show(which) => {
            let readers = context.readers()?;
            let shown = context.with_engine(|engine| async move {
                let id = find(&engine, which.order).await?;
                Ok(details(&engine, &readers, id).await?)
            })?;
            context.output.show(&shown, show::order_details)
        }
        Verb::Mail(which) => {
            let mail = context.with_engine(|engine| async move {
                let id = find(&engine, which.order).await?;
                Ok(OrderMailView::from(engine.order_mail(id).await?))
            })?;
            context.output.show(&mail, |mail| mail.text.clone())
        }
        Verb::Submit(step) => submit(context, step),
        Verb::Withdraw(step) => {
            let reason = step.why.reason.clone().unwrap_or_default();
            context.do_and_show(&step.why, show::order, move |unit| {
                let (text, reason) = (step.order.clone(), reason.clone());
                Box::pin(async move {
                    let id = name::order(unit.tx(), &text).await?.id;
                    let row = unit.withdraw_order(id, &reason).await?;
                    Ok(order(unit.tx(), row).await?)
                })
            })
        }
        Verb::Reject(step) => {
            let reason = step.why.reason.clone().unwrap_or_default();
            context.do_and_show(&step.why, show::order, move |unit| {
                let (text, reason) = (step.order.clone(), reason.clone());
                Box::pin(async move {
                    let id = name::order(unit.tx(), &text).await?.id;
                    let row = unit.reject_order(id, &reason).await?;
                    Ok(order(unit.tx(), row).await?)
                })
            })
        }
        Verb::Accept(accept) => self::accept(context, *accept),
        Verb::RoomReady { step, portal_id, url } => {
            context.do_and_show(&step.why, show::order, move |unit| {
                let (text, portal_id, url) = (step.order.clone(), portal_id.clone(), url.clone());
                Box::pin(async move {
                    let row = name::order(unit.tx(), &text).await?;
                    unit.room_ready(room_of(&row)?, &portal_id, &url).await?;
                    fresh(unit.tx(), row.id).await
                })
            })
        }
        Verb::Confirm { step, consent } => confirm(context, step, &consent),
        Verb::ChangeAdministrator {
            step,
            administrator,
            person,
        } => context.do_and_show(&step.why, show::order, move |unit| {
            let (text, administrator, person) = (step.order.clone(), administrator.clone(), person.clone());
            Box::pin(async move {
                let id = name::order(unit.tx(), &text).await?.id;
                let mut row = unit.change_administrator(id, &administrator).await?;
                if let Some(person) = &person {
                    let person = name::person(unit.tx(), person).await?.id;
                    row = unit.bind_administrator(id, person).await?;
                }
                Ok(order(unit.tx(), row).await?)
            })
        }),
        Verb::RaiseAdministrator(step) => context.do_and_show(&step.why, show::order, move |unit| {
            let text = step.order.clone();
            Box::pin(async move {
                let id = name::order(unit.tx(), &text).await?.id;
                let row = unit.raise_administrator(id).await?;
                Ok(order(unit.tx(), row).await?)
            })
        }),
        Verb::EndBootstrap(step) => context.do_and_show(&step.why, show::order, move |unit| {
            let text = step.order.clone();
            Box::pin(async move {
                let id = name::order(unit.tx(), &text).await?.id;
                let row = unit.finish_bootstrap(id).await?;
                Ok(order(unit.tx(), row).await?)
            })
        }),
        Verb::GoLive(step) => context.do_and_show(&step.why, show::order, move |unit| {
            let text = step.order.clone();
            Box::pin(async move {
                let id = name::order(unit.tx(), &text).await?.id;
                let row = unit.go_live(id).await?;
                Ok(order(unit.tx(), row).await?)
            })
        }),
    }
}

fn submit(context: &Context<'_>, step: Step) -> Result<(), CliError> {
    let (readers, text) = (context.readers()?, step.order.clone());
    let says = context.with_engine(|engine| async move {
        let id = find(&engine, text).await?;
        Ok(details(&engine, &readers, id).await?.order.source_says)
    })?;
    context.do_and_show(&step.why, show::order, move |unit| {
        let (text, says) = (step.order.clone(), says.clone());
        Box::pin(async move {
            let id = name::order(unit.tx(), &text).await?.id;
            let (row, _mail) = unit.submit_order(id).await?;
            Ok(OrderView {
                source_says: says,
                ..order(unit.tx(), row).await?
            })
        })
    })
}

fn create(context: &Context<'_>, create: Create) -> Result<(), CliError> {
    let customer = context.load()?.0.config.organisation.name;
    let input = OrderInput {
        customer: create.customer,
        room_name: Some(create.room),
        administrator: Some(create.administrator),
        all_content: Some(create.all_content),
        model: Some(create.model),
        features: Some(create.features),
        source: create.source,
        group: Some(create.group),
        expected: Some(create.expected),
        ..OrderInput::default()
    };
    let (requester, submit) = (create.requester, create.submit);
    let says = if submit {
        let (readers, asked) = (context.readers()?, input.clone());
        context.with_engine(|engine| async move { Ok(of_input(&engine, &readers, &asked).await) })?
    } else {
        None
    };
    context.do_and_show(&create.why, show::order, move |unit| {
        let (input, customer, requester) = (input.clone(), customer.clone(), requester.clone());
        let says = says.clone();
        Box::pin(async move {
            let fields = input.fields(unit.tx(), &customer).await?;
            let mut row = unit.create_order(fields, &requester).await?;
            if submit {
                row = unit.submit_order(row.id).await?.0;
            }
            Ok(OrderView {
                source_says: says,
                ..order(unit.tx(), row).await?
            })
        })
    })
}

fn list(context: &Context<'_>, requester: Option<String>) -> Result<(), CliError> {
    let orders = context.look(move |tx| {
        let requester = requester.clone();
        Box::pin(async move {
            let mut views = Vec::new();
            for row in query::order::page(tx, requester.as_deref(), false, None, ALL).await? {
                views.push(order(tx, row).await?);
            }
            Ok(views)
        })
    })?;
    context.output.show(&orders, |orders| show::orders(orders))
}

fn accept(context: &Context<'_>, accept: Accept) -> Result<(), CliError> {
    let why = accept.step.why.clone();
    let readers = context.readers()?;
    context.do_and_show(&why, show::order, move |unit| {
        let (accept, readers) = (accept.clone(), readers.clone());
        Box::pin(async move {
            let named = name::order(unit.tx(), &accept.step.order).await?;
            readers
                .refuse_nested(unit.tx(), named.source, accept.terms.nested)
                .await?;
            let id = named.id;
            let acceptance = Acceptance {
                bootstrap: BootstrapUser {
                    name: accept.bootstrap_name,
                    email: accept.bootstrap,
                },
                terms: accept.terms.into(),
            };
            let row = unit.accept_order(id, acceptance).await?;
            Ok(order(unit.tx(), row).await?)
        })
    })
}

fn confirm(context: &Context<'_>, step: Step, consent: &Consent) -> Result<(), CliError> {
    let text = step.order;
    let (id, plan) = context.with_engine(|engine| async move {
        let id = find(&engine, text).await?;
        Ok((id, planned(&engine, id).await?))
    })?;
    let digest = consent.given(&plan.digest, &show::plan(&plan))?;
    context.do_and_show(&step.why, show::order, move |unit| {
        let digest = digest.clone();
        Box::pin(async move {
            let row = name::order(unit.tx(), &id.to_string()).await?;
            unit.confirm_mapping(mapping_of(&row)?, &digest).await?;
            fresh(unit.tx(), id).await
        })
    })
}

/// An order as it is after a step.
async fn fresh(tx: &mut Tx<'_>, id: OrderId) -> Result<OrderView, ApiError> {
    let row = name::order(tx, &id.to_string()).await?;
    Ok(order(tx, row).await?)
}

async fn find(engine: &usher_engine::Engine, text: String) -> Result<OrderId, CliError> {
    engine
        .read(move |tx| {
            let text = text.clone();
            Box::pin(async move { Ok(name::order(tx, &text).await?.id) })
        })
        .await
}
