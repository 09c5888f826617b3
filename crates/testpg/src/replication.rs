//! A second server that has what the first has.

use std::process::Command;
use std::time::Duration;

use tokio_postgres::Client;

use crate::{Cluster, Error};

/// What a standby calls itself, and what the primary waits for.
const NAME: &str = "standby";

/// Every commit is on the standby before it is acknowledged.
const SYNCHRONOUS: [&str; 2] = [
    "ALTER SYSTEM SET synchronous_standby_names = 'standby'",
    "SELECT pg_reload_conf()",
];

const IS_SYNCHRONOUS: &str =
    "SELECT FROM pg_stat_replication WHERE application_name = 'standby' AND sync_state = 'sync'";

const PROMOTE: &str = "SELECT pg_promote(true, 60)";

/// How long replication may take to begin.
const DEADLINE: Duration = Duration::from_secs(60);

/// How often it is looked at: the server announces it to nobody.
const GLANCE: Duration = Duration::from_millis(20);

impl Cluster {
    /// A standby of this cluster. From here on a commit is acknowledged only when it is on both; where the standby does not
    /// run, commits wait for it. A cluster has one standby at most.
    ///
    /// # Errors
    ///
    /// The copy cannot be made, or replication does not begin.
    pub async fn standby(&self) -> Result<Self, Error> {
        let mut standby = Self::prepare(self.installed.clone(), self.options.clone())?;
        standby.password.clone_from(&self.password);
        let address = format!("{} application_name={NAME}", self.socket());
        let mut copy = Command::new(&self.installed.pg_basebackup);
        copy.arg("-D").arg(standby.data()).args(["-d", &address]).args([
            "--write-recovery-conf",
            "--checkpoint=fast",
            "--no-sync",
        ]);
        standby.run(copy)?;
        standby.launch()?;

        let client = self.connect().await?;
        for statement in SYNCHRONOUS {
            client
                .batch_execute(statement)
                .await
                .map_err(Error::sql("make replication synchronous"))?;
        }
        tokio::time::timeout(DEADLINE, synchronous(&client))
            .await
            .map_err(|_| Error::InVain("replication to begin"))??;
        Ok(standby)
    }

    /// Makes a standby a primary of its own, which takes writes when this comes back.
    ///
    /// # Errors
    ///
    /// This is no standby, or does not run.
    pub async fn promote(&self) -> Result<(), Error> {
        let client = self.connect().await?;
        let promoted: bool = client
            .query_one(PROMOTE, &[])
            .await
            .map_err(Error::sql("promote the standby"))?
            .get(0);
        if promoted {
            Ok(())
        } else {
            Err(Error::InVain("the standby to be promoted"))
        }
    }
}

async fn synchronous(client: &Client) -> Result<(), Error> {
    let mut glances = tokio::time::interval(GLANCE);
    loop {
        glances.tick().await;
        let row = client
            .query_opt(IS_SYNCHRONOUS, &[])
            .await
            .map_err(Error::sql("look at the replication"))?;
        if row.is_some() {
            return Ok(());
        }
    }
}
