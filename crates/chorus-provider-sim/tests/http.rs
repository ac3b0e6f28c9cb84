//! Tests of the server on a loopback socket, called as official SDKs call it.

use std::time::Duration;

use chorus_provider_sim::config::{
    Dialect, Limits, ModelConfig, OrganisationConfig, OrganisationStatus, ProviderConfig, Service,
};
use chorus_provider_sim::engine::fault::{Fault, FaultRule};
use chorus_provider_sim::http::ServerHandle;
use chorus_provider_sim::{Config, Server};
use serde_json::{Value, json};

fn provider(name: &str, dialect: Dialect, model: &str) -> ProviderConfig {
    ProviderConfig {
        name: name.to_owned(),
        dialect,
        models: vec![ModelConfig {
            id: model.to_owned(),
            group: None,
            context: 10_000,
            max_output: 1_000,
            thinks: dialect == Dialect::Deepseek,
        }],
        organisations: vec![OrganisationConfig {
            id: format!("org-{name}"),
            keys: vec![format!("sk-{name}-one"), format!("sk-{name}-two")],
            speed: 1.0,
            limits: Limits {
                requests_per_minute: Some(1_000),
                concurrency: (dialect == Dialect::Deepseek).then_some(2),
                ..Limits::default()
            },
            groups: std::collections::BTreeMap::new(),
            status: OrganisationStatus::Good,
        }],
        service: Service::default(),
    }
}

fn config() -> Config {
    Config {
        seed: 1,
        speed: 200.0,
        providers: vec![
            provider("anthropic", Dialect::Anthropic, "claude-sonnet-5"),
            provider("openai", Dialect::Openai, "gpt-6-luna"),
            provider("deepseek", Dialect::Deepseek, "deepseek-v4-pro"),
        ],
        faults: Vec::new(),
        omissions: Vec::new(),
        journal: None,
    }
}

/// Runs a test against a server that is shut down afterwards.
async fn check<F: Future<Output = ()>>(
    config: Config,
    test: impl FnOnce(String, ServerHandle) -> F,
) {
    let (server, address) =
        Server::bind(config, "127.0.0.1:0".parse().expect("a loopback address"))
            .await
            .expect("a free port");
    let handle = server.handle();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve(async move {
        let _ = stopped.await;
    }));
    test(format!("http://{address}"), handle).await;
    stop.send(()).expect("the server runs");
    tokio::time::timeout_at(
        tokio::time::Instant::now() + Duration::from_secs(5),
        serving,
    )
    .await
    .expect("the server ends although calls may hang")
    .expect("it does not panic")
    .expect("it serves");
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client")
}

fn post(base: &str, provider: &str, body: &Value) -> reqwest::RequestBuilder {
    let client = client();
    let key = format!("sk-{provider}-one");
    let request = match provider {
        "anthropic" => client
            .post(format!("{base}/anthropic/v1/messages"))
            .header("x-api-key", key)
            .header("anthropic-version", "2023-06-01"),
        "openai" => client
            .post(format!("{base}/openai/v1/chat/completions"))
            .bearer_auth(key),
        _ => client
            .post(format!("{base}/deepseek/chat/completions"))
            .bearer_auth(key),
    };
    request
        .header("content-type", "application/json")
        .header("x-client-request-id", "a1.1")
        .body(body.to_string())
}

fn ask(provider: &str, stream: bool) -> Value {
    let model = match provider {
        "anthropic" => "claude-sonnet-5",
        "openai" => "gpt-6-luna",
        _ => "deepseek-v4-pro",
    };
    json!({"model": model, "max_tokens": 200, "stream": stream, "messages": [{"role": "user", "content": "Say something. Anything."}]})
}

fn lines(handle: &ServerHandle) -> Vec<Value> {
    handle
        .journal()
        .lines()
        .map(|line| serde_json::from_str(line).expect("a JSON line"))
        .collect()
}

async fn until(handle: &ServerHandle, wanted: impl Fn(&[Value]) -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while !wanted(&lines(handle)) {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{}",
            handle.journal()
        );
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_provider_answers_whole_and_streamed_and_the_journal_has_a_line_for_each() {
    check(config(), |base, handle| async move {
        for provider in ["anthropic", "openai", "deepseek"] {
            let whole = post(&base, provider, &ask(provider, false))
                .send()
                .await
                .expect("a reply");
            assert_eq!(whole.status(), 200);
            let text = whole.text().await.expect("a body");
            let body: Value =
                serde_json::from_str(text.trim_start()).expect("JSON after blank lines");
            let text = if provider == "anthropic" {
                &body["content"][0]["text"]
            } else {
                &body["choices"][0]["message"]["content"]
            };
            assert!(
                text.as_str().is_some_and(|text| text.contains("simulated")),
                "{body}"
            );

            let stream = post(&base, provider, &ask(provider, true))
                .send()
                .await
                .expect("a reply");
            assert_eq!(
                stream.headers()["content-type"],
                "text/event-stream; charset=utf-8"
            );
            let text = stream.text().await.expect("a body");
            let last = if provider == "anthropic" {
                "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
            } else {
                "data: [DONE]\n\n"
            };
            assert!(text.ends_with(last), "{text}");
        }
        let lines = lines(&handle);
        assert_eq!(lines.len(), 6);
        assert!(
            lines
                .iter()
                .all(|line| line["outcome"] == "complete" && line["client_request"] == "a1.1"),
            "{lines:?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hangs_up_is_noticed_in_the_stream_and_before_the_first_byte() {
    let mut config = config();
    config.faults = vec![FaultRule::always(Fault::Hang)];
    check(config, |base, handle| async move {
        let mut stream = post(&base, "openai", &ask("openai", true))
            .send()
            .await
            .expect("the reply begins");
        assert!(stream.chunk().await.expect("bytes").is_some());
        assert_eq!(lines(&handle)[0]["outcome"], "open");
        drop(stream);
        until(&handle, |lines| lines[0]["outcome"] == "aborted").await;
        assert!(
            lines(&handle)[0]["delivered"]
                .as_u64()
                .is_some_and(|bytes| bytes > 0)
        );

        let waiting = tokio::spawn(post(&base, "anthropic", &ask("anthropic", false)).send());
        until(&handle, |lines| lines.len() == 2).await;
        waiting.abort();
        until(&handle, |lines| lines[1]["outcome"] == "aborted").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_stream_breaks_after_some_bytes_and_one_that_dies_ends_with_an_error() {
    check(config(), |base, handle| async move {
        handle.set_faults(vec![FaultRule { times: Some(1), ..FaultRule::always(Fault::Cut) }, FaultRule::always(Fault::Die)]);
        let cut = post(&base, "openai", &ask("openai", true)).send().await.expect("the reply begins");
        assert!(cut.text().await.is_err());
        let died = post(&base, "anthropic", &ask("anthropic", true)).send().await.expect("the reply begins").text().await.expect("a body");
        assert!(died.contains("event: content_block_delta"), "{died}");
        assert!(
            died.ends_with(
                "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n"
            ),
            "{died}"
        );
        until(&handle, |lines| lines.iter().all(|line| line["outcome"] == "cut")).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_are_set_and_limits_are_read_over_http_and_the_journal_file_has_every_ended_call() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("journal.jsonl");
    let mut config = config();
    config.journal = Some(file.clone());
    check(config, |base, handle| async move {
        let client = client();
        let rules = json!([{"fault": "overloaded", "provider": "anthropic", "times": 1}]);
        let set = client
            .post(format!("{base}/_sim/faults"))
            .body(rules.to_string())
            .send()
            .await
            .expect("a reply");
        assert_eq!(set.status(), 200);
        let wrong = client
            .post(format!("{base}/_sim/faults"))
            .body("[{\"fault\": \"bored\"}]")
            .send()
            .await
            .expect("a reply");
        assert_eq!(wrong.status(), 400);
        for status in [529, 200] {
            assert_eq!(
                post(&base, "anthropic", &ask("anthropic", false))
                    .send()
                    .await
                    .expect("a reply")
                    .status(),
                status
            );
        }
        let limits = client
            .get(format!("{base}/_sim/limits"))
            .send()
            .await
            .expect("a reply")
            .text()
            .await
            .expect("a body");
        let limits: Value = serde_json::from_str(&limits).expect("JSON");
        assert_eq!(limits[0]["admitted"], 1);
        assert_eq!(
            client
                .get(format!("{base}/_sim/health"))
                .send()
                .await
                .expect("a reply")
                .status(),
            200
        );
        assert_eq!(
            std::fs::read_to_string(&file).expect("the file"),
            handle.journal()
        );
    })
    .await;
}
