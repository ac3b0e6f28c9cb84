//! Providers whose bytes are not what their headers promise, from the import of a key to the end of
//! a project.

use chorus_provider_sim::config::Config;
use chorus_provider_sim::engine::fault::{Fault, FaultRule, MODELS};

use crate::chronicle::Chronicle;
use crate::fixture::{Fixture, output_text, quick};

const BOOK: Chronicle = Chronicle {
    seed: 23,
    chapters: 16,
    contradiction: false,
};

/// Output of an import at a provider whose list of models meets this fault.
async fn imported(fault: Fault) -> String {
    let rule = FaultRule {
        kind: Some(MODELS.to_owned()),
        ..FaultRule::always(fault)
    };
    let config = Config {
        faults: vec![rule],
        ..quick()
    };
    let fixture = Fixture::bare(config, "").await;
    fixture.write("accounts.toml", &fixture.accounts(4));
    let output = fixture.chorus(&["account", "import", "accounts.toml"]);
    let text = output_text(&output);
    fixture.end().await;
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_adds_nothing_that_was_not_checked_well() {
    for (fault, expected) in [
        (Fault::Page, "a web page answered: Welcome to the gateway"),
        (Fault::Redirect, "redirects to https://moved.invalid/v1"),
        (Fault::DeadKey, "does not accept the key"),
        (Fault::ServerError, "not known whether the key is alive"),
        (Fault::PageFailed, "not known whether the key is alive"),
    ] {
        let text = imported(fault).await;
        assert!(text.contains(expected), "{fault:?}: {text}");
        assert!(!text.contains("added    "), "{fault:?}: {text}");
        assert!(text.contains("0 added"), "{fault:?}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_is_done_over_replies_in_every_odd_form() {
    let odd = [
        Fault::JsonAsStream,
        Fault::JsonWithDone,
        Fault::Untyped,
        Fault::Gzip,
        Fault::WithoutDone,
        Fault::ForeignLength,
        Fault::ZeroUsage,
        Fault::UnknownFinish,
        Fault::UnreadableChunk,
        Fault::EmptyStream,
        Fault::Enveloped,
        Fault::WaitInBody,
        Fault::WaitInText,
        Fault::PageFailed,
    ];
    let mut config = quick();
    config.faults = odd
        .map(|fault| FaultRule {
            times: Some(1),
            kind: Some("work".to_owned()),
            ..FaultRule::always(fault)
        })
        .to_vec();
    let fixture = Fixture::new(config).await;
    fixture.write("brief.md", &Chronicle::brief());
    fixture.write("docs/chronicle.md", &BOOK.text());
    let output = fixture.chorus(&[
        "run", "brief.md", "--attach", "docs", "--out", "out", "--yes", "--assume",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", output_text(&output));
    let met: std::collections::BTreeSet<String> = fixture
        .journal()
        .into_iter()
        .filter_map(|entry| entry.fault)
        .collect();
    assert!(met.len() >= 10, "only {met:?} were met");
    fixture.end().await;
}
