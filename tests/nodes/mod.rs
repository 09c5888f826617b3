//! Several nodes on one PostgreSQL, of which any may die at any moment, and the database too. An independent checker says
//! at the end what was lost, doubled, skipped or done twice.

mod chance;
mod checker;
mod crowd;
mod feed;
mod fleet;
mod journal;
mod load;
mod moving;
mod pause;
mod provider;
mod proxy;
mod receiver;
mod rig;
mod seeded;
mod slow;
mod standby;
mod three_nodes;
mod tls;
mod unknown;
mod upgrade;
