//! One PostgreSQL server and its data.

use std::env;
use std::fs::{self, File};
use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::Error;
use crate::account::Account;
use crate::binaries::Binaries;
use crate::guard::Guard;

/// The superuser of each cluster.
const USER: &str = "postgres";

/// The database that each cluster has.
const FIRST: &str = "postgres";

/// The port that a socket is named after where nothing listens on the network.
const NOT_LISTENING: u16 = 5432;

/// A socket's path has 107 bytes at most (unix(7)); what follows the folder of temporary files takes fewer than these.
const LONGEST_TEMPORARY: usize = 70;

/// What the files of a certificate and of its key are called.
const CHAIN: &str = "server.crt";
const KEY: &str = "server.key";

/// How often another port is tried when somebody took ours before the server did.
const PORT_ATTEMPTS: usize = 5;

/// How a cluster is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether commits reach the disk. Without, tests are several times faster, and a cluster that was killed may be torn.
    pub durable: bool,
    /// How many sessions there may be at once.
    pub max_connections: u32,
    /// Whether to listen on a free port of the loopback, with a password, as well as on the socket.
    pub tcp: bool,
    /// What the server shows to those who ask for an encrypted connection over the network; without, it encrypts none.
    pub certificate: Option<Certificate>,
    /// Further settings of the server, as in `postgresql.conf`.
    pub settings: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durable: false,
            max_connections: 100,
            tcp: false,
            certificate: None,
            settings: Vec::new(),
        }
    }
}

/// A certificate and its key, as PEM. Nobody else ever trusts what a test made for itself, so it may be shown.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate, and those between it and its authority.
    pub chain: String,
    /// The key.
    pub key: String,
}

/// A PostgreSQL server of our own in a temporary folder, ended and removed on drop, and when the process ends in whatever way.
///
/// Starting, stopping and killing block the thread until it is done, for a second or two.
#[derive(Debug)]
pub struct Cluster {
    // Dropped in this order: the server first, then what it works on.
    guard: Option<Guard>,
    folder: TempDir,
    pub(crate) installed: Binaries,
    account: Option<Account>,
    pub(crate) options: Options,
    pub(crate) password: Option<String>,
    port: u16,
}

impl Cluster {
    /// Sets up a cluster and starts it.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] says how to install PostgreSQL where there is none; the others quote what failed.
    pub fn start(options: Options) -> Result<Self, Error> {
        let mut cluster = Self::prepare(Binaries::find()?, options)?;
        if cluster.options.tcp {
            cluster.password = Some(random_password()?);
        }
        cluster.initialise()?;
        cluster.launch()?;
        Ok(cluster)
    }

    /// A folder for a cluster that has no data yet.
    pub(crate) fn prepare(installed: Binaries, options: Options) -> Result<Self, Error> {
        let folder = tempfile::Builder::new()
            .prefix("usher-pg-")
            .tempdir_in(temporary_folder(env::temp_dir()))
            .map_err(Error::io("make a temporary folder"))?;
        let account = Account::for_folder(folder.path())?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700))
            .map_err(Error::io("close the temporary folder to others"))?;
        if let Some(account) = account {
            account.own(folder.path())?;
        }
        let cluster = Self {
            guard: None,
            folder,
            installed,
            account,
            options,
            password: None,
            port: NOT_LISTENING,
        };
        if let Some(certificate) = &cluster.options.certificate {
            cluster.keep(CHAIN, &certificate.chain)?;
            cluster.keep(KEY, &certificate.key)?;
        }
        Ok(cluster)
    }

    /// Writes a file beside the data that only the server may read; where it is.
    fn keep(&self, name: &str, text: &str) -> Result<PathBuf, Error> {
        let file = self.folder.path().join(name);
        let doing = || Error::io(format!("write {}", file.display()));
        fs::write(&file, text).map_err(doing())?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).map_err(doing())?;
        if let Some(account) = self.account {
            account.own(&file)?;
        }
        Ok(file)
    }

    /// Where clients find this database: `postgres:///NAME?host=FOLDER…`, or `postgres://…@127.0.0.1:PORT/NAME` with
    /// [`Options::tcp`].
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        match &self.password {
            Some(password) => {
                format!("postgres://{USER}:{password}@127.0.0.1:{}/{database}", self.port)
            }
            None => format!(
                "postgres:///{database}?host={}&user={USER}",
                self.folder.path().display()
            ),
        }
    }

    /// [`Self::url`] of the database that every cluster has.
    #[must_use]
    pub fn first_url(&self) -> String {
        self.url(FIRST)
    }

    /// The socket in the words of libpq, which tools of PostgreSQL understand.
    #[cfg(feature = "sql")]
    pub(crate) fn socket(&self) -> String {
        format!(
            "host={} port={} user={USER}",
            self.folder.path().display(),
            self.port
        )
    }

    /// The folder of the socket; the data are in `data` inside.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process id of the server; `None` while it does not run.
    #[must_use]
    pub fn server(&self) -> Option<u32> {
        self.guard.as_ref().map(Guard::server)
    }

    /// The last lines the server wrote since it was started; empty while it does not run.
    #[must_use]
    pub fn log(&self) -> String {
        self.guard.as_ref().map(Guard::log).unwrap_or_default()
    }

    /// Shuts the server down in order: sessions are cut off, everything is written. Nothing happens where it does not run.
    ///
    /// # Errors
    ///
    /// The server does not end.
    pub fn stop(&mut self) -> Result<(), Error> {
        self.guard.take().map_or(Ok(()), Guard::stop)
    }

    /// Ends the server and all of its processes as a power cut would, and comes back when they are gone. Only a cluster with
    /// [`Options::durable`] is sure to survive it. Nothing happens where it does not run.
    ///
    /// # Errors
    ///
    /// Processes are left.
    pub fn kill(&mut self) -> Result<(), Error> {
        let Some(guard) = self.guard.take() else {
            return Ok(());
        };
        guard.kill()?;
        self.clear_away();
        Ok(())
    }

    /// Starts the server on the data that are there, at the same address. One that runs is stopped before.
    ///
    /// # Errors
    ///
    /// The server does not start; its log is quoted.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.stop()?;
        self.guard = Some(self.serve()?);
        Ok(())
    }

    /// Starts the server for the first time, on a port that is free.
    pub(crate) fn launch(&mut self) -> Result<(), Error> {
        for attempt in 1.. {
            if self.options.tcp {
                self.port = free_port()?;
            }
            match self.serve() {
                Err(Error::Server { log, .. })
                    if attempt < PORT_ATTEMPTS && log.contains("could not bind IPv4") => {}
                served => {
                    self.guard = Some(served?);
                    break;
                }
            }
        }
        Ok(())
    }

    fn serve(&self) -> Result<Guard, Error> {
        let mut command = Command::new(&self.installed.postgres);
        command.arg("-D").arg(self.data());
        let listen = if self.options.tcp { "127.0.0.1" } else { "" };
        let mut settings = vec![
            ("listen_addresses", listen.to_owned()),
            ("port", self.port.to_string()),
            (
                "unix_socket_directories",
                self.folder.path().display().to_string(),
            ),
            ("max_connections", self.options.max_connections.to_string()),
            ("log_destination", "stderr".to_owned()),
            ("logging_collector", "off".to_owned()),
        ];
        if !self.options.durable {
            settings.extend(["fsync", "full_page_writes"].map(|name| (name, "off".to_owned())));
            // Usher refuses a server that may lose what it acknowledged, unless the server says that this is meant so.
            settings.push(("usher.allow_unsafe", "on".to_owned()));
        }
        if self.options.certificate.is_some() {
            let path = |name| self.folder.path().join(name).display().to_string();
            settings.extend([
                ("ssl", "on".to_owned()),
                ("ssl_cert_file", path(CHAIN)),
                ("ssl_key_file", path(KEY)),
            ]);
        }
        let further = self.options.settings.iter();
        settings.extend(further.map(|(name, value)| (name.as_str(), value.clone())));
        for (name, value) in settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        Guard::start(self.folder.path(), self.account, &command)
    }

    fn initialise(&self) -> Result<(), Error> {
        let mut command = Command::new(&self.installed.initdb);
        command.arg("-D").arg(self.data()).args([
            "--username",
            USER,
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]);
        if let Some(password) = &self.password {
            command.arg("--pwfile").arg(self.keep("password", password)?);
        }
        self.run(command)
    }

    /// Where the data are.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Runs a tool of PostgreSQL to its end, as whoever the cluster belongs to.
    pub(crate) fn run(&self, mut command: Command) -> Result<(), Error> {
        command
            .current_dir(self.folder.path())
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        if let Some(account) = self.account {
            account.run(&mut command);
        }
        let tool = PathBuf::from(command.get_program());
        let output = command
            .output()
            .map_err(Error::io(format!("run {}", tool.display())))?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(Error::Tool {
            tool,
            output: String::from_utf8_lossy(&said).trim().to_owned(),
        })
    }

    /// Removes what a killed server leaves: its lock file, and the segment of shared memory that is named in the file's
    /// seventh line. All of its processes are gone, so both are nobody's.
    fn clear_away(&self) {
        let file = self.data().join("postmaster.pid");
        let lines = fs::read_to_string(&file).unwrap_or_default();
        let segment = lines
            .lines()
            .nth(6)
            .and_then(|line| line.split_whitespace().nth(1));
        if let Some(segment) = segment {
            // A segment that stays is a few bytes until the next start of the machine.
            let _ = Command::new("ipcrm")
                .args(["-m", segment])
                .stderr(Stdio::null())
                .status();
        }
        let _ = fs::remove_file(file);
    }
}

/// The usual folder for temporary files, unless a socket in it would have too long a path.
fn temporary_folder(usual: PathBuf) -> PathBuf {
    if usual.as_os_str().len() <= LONGEST_TEMPORARY {
        usual
    } else {
        PathBuf::from("/tmp")
    }
}

/// A port of the loopback that nobody listens on at this moment.
fn free_port() -> Result<u16, Error> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(Error::io("find a free port"))
}

/// Others on the machine can reach the loopback too.
fn random_password() -> Result<String, Error> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(Error::io("draw a password"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_folder_for_temporary_files_is_passed_over() {
        assert_eq!(temporary_folder("/var/tmp".into()), Path::new("/var/tmp"));
        assert_eq!(temporary_folder("/x".repeat(50).into()), Path::new("/tmp"));
    }
}
