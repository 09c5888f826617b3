//! A cluster from a base backup and an archive of logs: as it was at a moment.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::{Cluster, Error};

/// How long the logs may take to be read.
const DEADLINE: Duration = Duration::from_secs(60);

/// How often it is looked at: the server announces it to nobody.
const GLANCE: Duration = Duration::from_millis(20);

/// The data of a cluster as they were copied, which no server has run on yet.
#[derive(Debug)]
pub struct BaseBackup {
    cluster: Cluster,
}

impl Cluster {
    /// Where a program of the installation is, such as `pg_dump`.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.installed.initdb.with_file_name(name)
    }

    /// Copies the data of the running cluster.
    ///
    /// # Errors
    ///
    /// The copy cannot be made.
    pub fn base_backup(&self) -> Result<BaseBackup, Error> {
        let cluster = Self::prepare(self.installed.clone(), self.options.clone())?;
        let mut copy = Command::new(&self.installed.pg_basebackup);
        copy.arg("-D")
            .arg(cluster.data())
            .args(["-d", &self.socket(), "--checkpoint=fast", "--no-sync"]);
        cluster.run(copy)?;
        Ok(BaseBackup { cluster })
    }
}

impl BaseBackup {
    /// A cluster as it was at `moment` (in words of PostgreSQL), by the logs in the folder `archive`. It takes writes when this
    /// comes back.
    ///
    /// # Errors
    ///
    /// The server does not start, or the archive does not reach the moment.
    pub async fn recover(self, archive: &Path, moment: &str) -> Result<Cluster, Error> {
        let mut cluster = self.cluster;
        let signal = cluster.data().join("recovery.signal");
        File::create(&signal).map_err(Error::io("ask for a recovery"))?;
        fs::set_permissions(&signal, std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .map_err(Error::io("ask for a recovery"))?;
        let restore = format!("cp '{}/%f' '%p'", archive.display());
        cluster.options.settings.extend([
            ("archive_mode".to_owned(), "off".to_owned()),
            ("restore_command".to_owned(), restore),
            ("recovery_target_time".to_owned(), moment.to_owned()),
            ("recovery_target_action".to_owned(), "promote".to_owned()),
        ]);
        cluster.launch()?;
        tokio::time::timeout(DEADLINE, recovered(&cluster))
            .await
            .map_err(|_| Error::InVain("the recovery to end"))??;
        Ok(cluster)
    }
}

async fn recovered(cluster: &Cluster) -> Result<(), Error> {
    let client = cluster.connect().await?;
    let mut glances = tokio::time::interval(GLANCE);
    loop {
        glances.tick().await;
        let row = client
            .query_one("SELECT pg_is_in_recovery()", &[])
            .await
            .map_err(Error::sql("look at the recovery"))?;
        if !row.get::<_, bool>(0) {
            return Ok(());
        }
    }
}
