//! Calls of ports appear in the text of the metrics.

use chorus_core::id::{BootId, Tenant};
use chorus_core::port::bus::{Record, Topic};
use chorus_core::port::{Ports, Upstream};
use chorus_core::time::Millis;
use chorus_limits::{Memory, Start};
use chorus_upstream::catalog;

use super::*;
use crate::clock::SystemClock;

/// No provider.
struct NoProvider;

#[async_trait::async_trait]
impl Upstream for NoProvider {
    async fn send(
        &self,
        call: chorus_core::port::upstream::Call,
    ) -> Result<chorus_core::port::upstream::Response, chorus_core::port::upstream::CallFailure>
    {
        unreachable!("no call is made: {call:?}")
    }
}

fn ports() -> Ports {
    let store = Arc::new(chorus_store::memory::Store::new(Arc::new(SystemClock)));
    Ports {
        upstream: Arc::new(NoProvider),
        ..Ports::over_store(
            store,
            Arc::new(chorus_bus::Embedded::new()),
            Arc::new(Memory::new(Arc::new(SystemClock), Start::Full)),
            Arc::new(SystemClock),
        )
    }
}

fn check(text: &str, line: &str) {
    assert!(
        text.lines().any(|found| found == line),
        "{line} is not in\n{text}"
    );
}

#[tokio::test]
async fn statements_records_and_terms_are_counted() {
    let telemetry = Telemetry::new(&catalog::load());
    let ports = telemetry.measure(ports());
    let tenant = Tenant::new("local");
    ports
        .directory
        .accounts(&tenant)
        .await
        .expect("memory answers");
    ports
        .directory
        .accounts(&tenant)
        .await
        .expect("memory answers");
    let term = ports
        .leaders
        .acquire("dispatcher", BootId::new(1), Millis::from_secs(60))
        .await
        .expect("memory answers");
    let record = Record {
        id: chorus_core::id::EventId::new(1),
        topic: Topic::Control,
        key: String::new(),
        headers: Vec::new(),
        payload: bytes::Bytes::new(),
    };
    ports
        .bus
        .publish(vec![record])
        .await
        .expect("the embedded bus takes it");
    telemetry.slots(64);
    let text = telemetry.text();
    check(
        &text,
        r#"chorus_store_statement_seconds_count{port="directory",method="accounts"} 2"#,
    );
    check(
        &text,
        r#"chorus_bus_published_total{topic="chorus.control.v1"} 1"#,
    );
    check(&text, "chorus_dispatcher_leads 1");
    check(
        &text,
        &format!(
            "chorus_dispatcher_term {}",
            term.expect("nobody else asks").0
        ),
    );
    check(&text, "chorus_worker_slots 64");
    check(&text, "# EOF");
}

#[test]
fn the_process_tells_its_memory_and_time() {
    let text = Telemetry::new(&catalog::load()).text();
    let value = |name: &str| {
        let line = text
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_else(|| panic!("{name} is not in\n{text}"));
        line.rsplit_once(' ')
            .and_then(|(_, value)| value.parse::<f64>().ok())
            .expect("a figure")
    };
    assert!(
        value("process_resident_memory_bytes ") > 1_000_000.0,
        "{text}"
    );
    assert!(value("process_cpu_seconds_total ") >= 0.0, "{text}");
}
