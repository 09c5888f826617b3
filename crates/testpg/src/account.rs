//! Who a cluster runs as: whoever runs the tests, unless that is root, whom PostgreSQL refuses.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use crate::Error;

/// Accounts that have no rights to lose; the first that exists is taken.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// An account of the system other than our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    user: u32,
    group: u32,
}

impl Account {
    /// Who runs what works in this folder of ours; `None` is ourselves.
    pub(crate) fn for_folder(folder: &Path) -> Result<Option<Self>, Error> {
        // A new folder belongs to whoever we are; the standard library has no other way to ask.
        let ours = fs::metadata(folder)
            .map_err(Error::io("look at the temporary folder"))?
            .uid();
        if ours != 0 {
            return Ok(None);
        }
        let accounts = fs::read_to_string("/etc/passwd").map_err(Error::io("read /etc/passwd"))?;
        Self::among(&accounts).map(Some).ok_or(Error::NoAccount)
    }

    fn among(accounts: &str) -> Option<Self> {
        UNPRIVILEGED.iter().find_map(|name| {
            let mut fields = accounts
                .lines()
                .map(|line| line.split(':'))
                .find_map(|mut fields| (fields.next() == Some(*name)).then_some(fields))?
                .skip(1);
            Some(Self {
                user: fields.next()?.parse().ok()?,
                group: fields.next()?.parse().ok()?,
            })
        })
    }

    /// Gives a folder of ours away.
    pub(crate) fn own(self, folder: &Path) -> Result<(), Error> {
        chown(folder, Some(self.user), Some(self.group)).map_err(Error::io(
            "give the temporary folder to the account that PostgreSQL runs as",
        ))
    }

    /// Has the command run as this account, without any of our groups.
    pub(crate) fn run(self, command: &mut Command) {
        command.uid(self.user).gid(self.group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_of_postgresql_is_preferred() {
        let nobody = "root:x:0:0::/:/bin/sh\nnobody:x:65534:65533::/:/bin/false\n";
        let expected = |user, group| Some(Account { user, group });
        assert_eq!(Account::among(nobody), expected(65534, 65533));
        let both = format!("{nobody}postgres:x:103:104::/var/lib:/bin/bash\n");
        assert_eq!(Account::among(&both), expected(103, 104));
        assert_eq!(Account::among("postgresql:x:1:1::/:/bin/sh\n"), None);
    }
}
