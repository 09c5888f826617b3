//! The guide shows this crate's code, not something like it.

use usher_server::{Usher, config};

const GUIDE: &str = include_str!("../../../../docs/adapters/write-your-own.md");

/// Where the guide's pieces are from.
const FILES: [&str; 6] = [
    include_str!("../../src/lib.rs"),
    include_str!("../../src/config.rs"),
    include_str!("../../src/client.rs"),
    include_str!("../../src/adapter.rs"),
    include_str!("../../src/read.rs"),
    concat!(
        include_str!("../../examples/usher_with_acme.rs"),
        include_str!("contract.rs")
    ),
];

#[test]
fn every_piece_of_rust_in_the_guide_is_from_this_crate() {
    let pieces: Vec<_> = GUIDE.split("```rust\n").skip(1).collect();
    assert!(pieces.len() >= 10, "the guide has lost its code");
    let files: Vec<_> = FILES.iter().map(|file| bare(file)).collect();
    for piece in pieces {
        let (piece, _) = piece.split_once("```").expect("a block ends");
        let bare = bare(piece);
        assert!(
            files.iter().any(|file| file.contains(&bare)),
            "this is nowhere in the example:\n{piece}"
        );
    }
}

#[test]
fn the_sample_configuration_is_taken() {
    let (_, source) = GUIDE.split_once("```toml\n").expect("the guide has a sample");
    let (source, _) = source.split_once("```").expect("a block ends");
    let text = format!(
        "[organisation]\nname = \"Contoso\"\ndomains = [\"contoso.com\"]\nsso_url = \"https://portal.example\"\n\n{source}"
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("usher.toml");
    std::fs::write(&file, text).expect("the folder is ours");
    let environment = [("ACME_TOKEN".to_owned(), "acme-api-token".to_owned())];
    let loaded = config::load(Some(&file), environment).expect("a configuration");
    let usher = Usher::new().register(usher_adapter_example::KIND, usher_adapter_example::build);
    loaded
        .config
        .check(usher.registry())
        .expect("settings that can work");
}

#[test]
fn the_program_knows_acme_beside_its_own_adapters() {
    let usher = Usher::new().register(usher_adapter_example::KIND, usher_adapter_example::build);
    let kinds: Vec<_> = usher.registry().kinds().collect();
    assert!(kinds.contains(&"acme") && kinds.contains(&"scim"), "{kinds:?}");
}

/// Without the indentation, which a piece loses when it is shown alone.
fn bare(text: &str) -> String {
    let lines = text.lines().map(str::trim_start);
    lines.collect::<Vec<_>>().join("\n")
}
