//! The company: its people and groups in the fake tenant.

use std::sync::Arc;

use usher_fakes::{Directory, Guest};

/// Who works there, given and family names.
const PEOPLE: [(&str, &str); 26] = [
    ("Anna", "Keller"),
    ("Bernd", "Vogel"),
    ("Clara", "Hoffmann"),
    ("Daniel", "Fischer"),
    ("Elif", "Yilmaz"),
    ("Frank", "Lehmann"),
    ("Greta", "Lindqvist"),
    ("Henrik", "Bauer"),
    ("Ines", "Marques"),
    ("Jonas", "Wolf"),
    ("Katrin", "Sommer"),
    ("Luca", "Romano"),
    ("Maria", "Nowak"),
    ("Nils", "Petersen"),
    ("Olga", "Ivanova"),
    ("Paul", "Schuster"),
    ("Quentin", "Dubois"),
    ("Rita", "Lang"),
    ("Samuel", "Okafor"),
    ("Tanja", "Richter"),
    ("Ulrich", "Stein"),
    ("Vera", "Kovac"),
    ("Walter", "Brandt"),
    ("Xenia", "Papadopoulou"),
    ("Yannick", "Moreau"),
    ("Zoe", "Winter"),
];

/// The groups that matter, by their object ids.
#[derive(Debug)]
pub(super) struct Company {
    pub(super) directory: Directory,
    people: Vec<Arc<str>>,
    pub(super) board: Arc<str>,
    pub(super) executives: Arc<str>,
    pub(super) falcon: Arc<str>,
    pub(super) audit: Arc<str>,
    pub(super) pension: Arc<str>,
}

impl Company {
    /// Fills the directory. Only the group of all staff is assigned to the application: it keeps accounts active, and no
    /// room is meant by it.
    pub(super) fn new(directory: &Directory) -> Self {
        let directory = directory.clone();
        let people: Vec<Arc<str>> = PEOPLE
            .iter()
            .map(|(given, family)| {
                let id = directory.add_user(&address(given, family));
                directory.edit_user(&id, |user| {
                    user.given_name = (*given).to_owned();
                    user.family_name = (*family).to_owned();
                });
                id
            })
            .collect();
        let group = |name: &str, members: &[Arc<str>]| {
            let group = directory.add_group(name);
            for member in members {
                directory.add_member(&group, member);
            }
            group
        };
        let staff = group("SG-All-Staff", &people);
        directory.assign(&staff, true);
        Self {
            board: group("SG-Supervisory-Board", &people[..9]),
            executives: group("SG-Executive-Committee", &people[4..22]),
            falcon: group("SG-Project-Falcon", &people[9..13]),
            audit: group("SG-Audit-Committee", &people[18..24]),
            pension: group("SG-Pension-Fund", &people[20..26]),
            people,
            directory,
        }
    }

    /// The address of the person with this number.
    pub(super) fn address(&self, number: usize) -> String {
        let (given, family) = PEOPLE[number];
        address(given, family)
    }

    /// Puts somebody into a group.
    pub(super) fn add(&self, group: &str, number: usize) {
        self.directory.add_member(group, &self.people[number]);
    }

    /// Takes somebody out of a group.
    pub(super) fn remove(&self, group: &str, number: usize) {
        self.directory.remove_member(group, &self.people[number]);
    }

    /// Invites somebody from outside and puts them into a group.
    pub(super) fn invite(&self, group: &str) {
        let guest = self.directory.add_user("erik.larsen@partner.example");
        self.directory.edit_user(&guest, |user| {
            user.given_name = "Erik".to_owned();
            user.family_name = "Larsen".to_owned();
            user.guest = Guest::External;
        });
        self.directory.add_member(group, &guest);
    }
}

fn address(given: &str, family: &str) -> String {
    format!("{}.{}@contoso.com", given.to_lowercase(), family.to_lowercase())
}
