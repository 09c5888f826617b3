//! The command line, as a process of its own on the same database.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use usher_testpg::Place;

/// A folder with a configuration, and the program.
struct Cli {
    folder: TempDir,
    _place: Place,
}

impl Cli {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = Place::new().expect("a place for the data");
        let text = format!(
            "[organisation]\nname = \"Contoso AG\"\ndomains = [\"contoso.com\"]\n\
             [storage]\nurl = \"{}\"\n\
             [[source]]\nname = \"idp\"\nkind = \"scim\"\nmode = \"push\"\n",
            place.url()
        );
        std::fs::write(folder.path().join("usher.toml"), text).expect("the folder is ours");
        Self {
            folder,
            _place: place,
        }
    }

    fn run(&self, line: &str) -> Output {
        self.run_with(line.split(' '))
    }

    fn run_with<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Output {
        Command::new(env!("CARGO_BIN_EXE_usher"))
            .args(args)
            .arg("--config")
            .arg(Path::new("usher.toml"))
            .env("USER", "olga")
            .env_remove("SUDO_USER")
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("the program runs")
    }

    #[track_caller]
    fn json(&self, line: &str) -> Value {
        let output = self.run(&format!("{line} --json"));
        assert!(output.status.success(), "{line}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    #[track_caller]
    fn table(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    #[track_caller]
    fn fails(&self, line: &str, code: i32) -> String {
        let output = self.run(line);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{line}: {}",
            text(&output.stderr)
        );
        text(&output.stderr)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const ORDER: &str = "order create Board --group board-members --administrator ada@contoso.com --expected 5 \
                     --requester rita@contoso.com --submit";

#[test]
fn an_order_goes_its_way_by_hand() {
    let cli = Cli::new();
    let order = cli.json(ORDER);
    assert_eq!(
        (&order["state"], &order["customer"]),
        (&"submitted".into(), &"Contoso AG".into())
    );
    assert!(cli.table("order list").contains("rita@contoso.com"));
    assert!(cli.table("order mail Board").contains("ada@contoso.com"));
    assert!(cli.table("order show Board").contains("accept or reject"));
    cli.json("order accept Board --bootstrap setup@vendor.example");
    let refused = cli.fails("order confirm Board --yes", 4);
    assert!(refused.contains("report the room"), "{refused}");
    cli.json("order room-ready Board --portal-id p-1 --url https://portal.example/1");
    let asked = cli.fails("order confirm Board", 2);
    let digest = asked
        .lines()
        .find_map(|line| line.strip_prefix("Plan "))
        .expect("a plan")
        .to_owned();
    let confirmed = cli.json(&format!("order confirm Board --plan {digest}"));
    assert_eq!(confirmed["state"], "mapping_confirmed");
    assert!(cli.table("room list").contains("Board"));
    assert!(cli.table("room show board").contains("setup@vendor.example"));
    assert!(cli.table("mapping list").contains("confirmed"));
    assert!(cli.table("member list Board").contains("bootstrap"));
    assert!(
        cli.table("member explain Board setup@vendor.example")
            .contains("set-up user")
    );
    let history = cli.json("member history Board setup@vendor.example");
    assert_eq!(history[0]["periods"][0]["from_reason"], "bootstrap");
    let refused = cli.fails("order end-bootstrap Board", 4);
    assert!(refused.contains("who acts next"), "{refused}");
}

#[test]
fn people_are_changed_by_hand_with_a_reason_that_the_feed_tells() {
    let cli = Cli::new();
    cli.json(ORDER);
    cli.json("order accept Board --bootstrap setup@vendor.example");
    let guest = "member add Board gil@partner.example --level guest --owner otto@contoso.com";
    cli.fails(guest, 4);
    let added = cli.run_with(guest.split(' ').chain(["--reason", "an auditor", "--json"]));
    assert!(added.status.success(), "{}", text(&added.stderr));
    let level = cli.json("member level Board gil@partner.example user");
    assert_eq!(level["level"], "user");
    let extended = cli.json("member extend Board gil@partner.example --until 2099-01-01T00:00:00Z");
    assert_eq!(extended["until"], "2099-01-01T00:00:00Z");
    let ended = cli.json("member end Board gil@partner.example");
    assert_eq!(ended["end_reason"], "by_hand");
    assert!(cli.table("person find gil@partner.example").contains("Board"));
    let events = cli.table("events --json");
    let events: Vec<Value> = events
        .lines()
        .map(|line| serde_json::from_str(line).expect("an event a line"))
        .collect();
    let started = events
        .iter()
        .rfind(|event| event["type"] == "usher.membership.started")
        .expect("a start");
    assert_eq!(
        (&started["actor"], &started["reason"]),
        (&"operator:olga".into(), &"an auditor".into())
    );
    let last = events.last().expect("an event")["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert_eq!(cli.table(&format!("events --after {last}")), "");
}

#[test]
fn every_list_is_a_table_and_json() {
    let cli = Cli::new();
    for line in [
        "room list",
        "room strays",
        "order list",
        "mapping list",
        "hold list",
        "restore list --all",
        "source list",
    ] {
        assert!(cli.json(line).is_array(), "{line}");
        assert!(!cli.table(line).is_empty(), "{line}");
    }
    let newest = usher_storage::migrate::SQLITE
        .last()
        .expect("a migration")
        .version;
    assert_eq!(cli.json("migrate")["version"], newest);
    assert!(cli.table("doctor").contains("database"));
    assert!(cli.json("policy show")["active"].is_object());
    assert_eq!(cli.run("openapi").stdout, usher_server::api::openapi().as_bytes());
}

#[test]
fn a_mapping_is_made_changed_replaced_and_retired() {
    let cli = Cli::new();
    assert_eq!(cli.json("room create Council --model open")["state"], "live");
    let made = cli.json("mapping create Council --group council-members");
    assert_eq!(
        (&made["state"], &made["named_by"]),
        (&"pending".into(), &"name".into())
    );
    let changed = cli.json("mapping change Council --rejoin auto --rejoin-days 30");
    assert_eq!(
        (&changed["rejoin"], &changed["rejoin_days"]),
        (&"auto".into(), &30.into())
    );
    let plan = cli.json("mapping plan Council");
    let digest = plan["digest"].as_str().expect("a digest");
    let confirmed = cli.json(&format!("mapping confirm Council --plan {digest}"));
    assert_eq!(
        (&confirmed["state"], &confirmed["complete"]),
        (&"confirmed".into(), &true.into())
    );
    let refused = cli.fails("mapping replace Council --group others --yes", 4);
    assert!(refused.contains("others"), "{refused}");
    cli.fails("mapping retire Council --plan 00", 4);
    assert_eq!(cli.json("mapping retire Council --yes")["state"], "retired");
    assert_eq!(cli.json("room archive Council")["state"], "archived");
    cli.fails("room show Council", 5);
    assert_eq!(cli.json("source retire idp --yes")["state"], "retired");
}

#[test]
fn exit_codes_tell_apart_what_is_wrong() {
    let cli = Cli::new();
    cli.fails("room show Nowhere", 5);
    cli.fails("hold show 7", 2);
    cli.fails("frobnicate", 2);
    let told: Value = serde_json::from_str(&cli.fails("policy plan --json", 4)).expect("JSON");
    assert_eq!(told["code"], "no_proposal");
    assert!(told["next"].is_string());
    let refused = cli.fails("mapping create Nowhere --group g", 5);
    assert!(refused.contains("room 'Nowhere'"), "{refused}");
}
