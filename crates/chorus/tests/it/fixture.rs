//! Fixture around the real binary: simulated providers on a real socket, a folder, accounts, and
//! the records of both sides.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use chorus_core::attempt::DeliveryRow;
use chorus_core::id::ProjectId;
use chorus_core::port::Deliveries;
use chorus_provider_sim::Server;
use chorus_provider_sim::config::{
    Config, Dialect, Limits, ModelConfig, OrganisationConfig, OrganisationStatus, ProviderConfig,
    Service,
};
use chorus_provider_sim::engine::journal::Entry;
use chorus_provider_sim::engine::quota::Counted;
use chorus_provider_sim::http::ServerHandle;
use chorus_store::sql::{DatabaseUrl, Pending, Store};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Simulated providers and a folder; both are removed on drop.
pub(crate) struct Fixture {
    folder: TempDir,
    address: SocketAddr,
    witness: ServerHandle,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<std::io::Result<()>>,
}

/// Providers that answer at once and have wide limits.
pub(crate) fn quick() -> Config {
    let organisation = |id: &str, key: &str| OrganisationConfig {
        id: id.to_owned(),
        keys: vec![key.to_owned()],
        speed: 1.0,
        limits: Limits {
            concurrency: Some(4),
            ..Limits::default()
        },
        groups: std::collections::BTreeMap::new(),
        status: OrganisationStatus::Good,
    };
    let model = ModelConfig {
        id: "deepseek-v4-pro".to_owned(),
        group: None,
        context: 400_000,
        max_output: 32_000,
        thinks: true,
    };
    let service = Service {
        first_token_ms: 200,
        reads_per_second: 100_000,
        writes_per_second: 2_000,
        jitter_percent: 20,
        abort_grace_ms: 100,
        keep_alive_ms: 2_000,
    };
    let provider = ProviderConfig {
        name: "deepseek".to_owned(),
        dialect: Dialect::Deepseek,
        models: vec![model],
        organisations: vec![
            organisation("org-one", "sk-sim-one-0001"),
            organisation("org-two", "sk-sim-two-0002"),
        ],
        service,
    };
    Config {
        seed: 1,
        speed: 20.0,
        providers: vec![provider],
        faults: Vec::new(),
        omissions: Vec::new(),
        journal: None,
    }
}

impl Fixture {
    /// Starts the providers and imports their accounts with the real command.
    pub(crate) async fn new(config: Config) -> Self {
        Self::over(config, "").await
    }

    /// Creates a stage over shared services, which the configuration sections name.
    pub(crate) async fn over(config: Config, sections: &str) -> Self {
        let slots = config.providers[0].organisations[0]
            .limits
            .concurrency
            .expect("calls in flight are limited");
        let fixture = Self::bare(config, sections).await;
        fixture.write("accounts.toml", &fixture.accounts(slots));
        if !sections.is_empty() {
            let migrated = fixture.chorus(&["migrate"]);
            assert!(migrated.status.success(), "{}", output_text(&migrated));
        }
        let imported = fixture.chorus(&["account", "import", "accounts.toml"]);
        assert!(imported.status.success(), "{}", output_text(&imported));
        fixture
    }

    /// Creates a stage with an empty database.
    pub(crate) async fn bare(config: Config, sections: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (server, address) = Server::bind(config, SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .expect("a free port");
        let witness = server.handle();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(server.serve(async { drop(stopped.await) }));
        let fixture = Self {
            folder,
            address,
            witness,
            stop: Some(stop),
            serving,
        };
        if !sections.is_empty() {
            fixture.configure(sections);
            let made = fixture.chorus(&["envelope-key", "--out", "data.key"]);
            assert!(made.status.success(), "{}", output_text(&made));
        }
        fixture
    }

    /// One account for each organisation, with the limit of the provider.
    pub(crate) fn accounts(&self, slots: u64) -> String {
        let account = |name: &str, key: &str| {
            format!(
                "[[account]]\nemail = \"{name}@example.com\"\n[[account.credential]]\nprovider = \"deepseek\"\nkey = \"{key}\"\n\
                 base_url = \"http://{}/deepseek\"\nlimits = [{{ dimension = \"concurrency\", amount = {slots}, window = {{ kind = \"held\" }} }}]\n\n",
                self.address
            )
        };
        account("one", "sk-sim-one-0001") + &account("two", "sk-sim-two-0002")
    }

    /// Address of the simulated provider.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/deepseek", self.address)
    }

    /// A path in the stage's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
        std::fs::write(path, content).expect("the file is written");
    }

    /// Runs the real binary to its end, with the stage's data folder and an empty environment.
    pub(crate) fn chorus(&self, arguments: &[&str]) -> Output {
        self.command(arguments, None)
    }

    /// Runs the real binary with a kill at a crash point.
    pub(crate) fn chorus_killed_at(&self, point: &str, arguments: &[&str]) -> Output {
        self.command(arguments, Some(point))
    }

    fn command(&self, arguments: &[&str], crash: Option<&str>) -> Output {
        let mut command = self.process(arguments);
        if let Some(point) = crash {
            command.env("CHORUS_CRASH", point);
        }
        command.output().expect("the binary runs")
    }

    /// The real binary, ready to be started.
    pub(crate) fn process(&self, arguments: &[&str]) -> Command {
        let mut command = self.binary();
        command
            .arg("--data")
            .arg(self.path("data"))
            .arg("--config")
            .arg(self.config());
        command.args(arguments);
        command
    }

    /// Runs a command line as the real binary printed it, without any flag more.
    pub(crate) fn typed(&self, line: &str) -> Output {
        let arguments = line.strip_prefix("chorus ").expect("a command of chorus");
        let mut command = self.binary();
        command.args(arguments.split_whitespace());
        command.output().expect("the binary runs")
    }

    fn binary(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chorus"));
        command
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", "/usr/bin:/bin")
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// Short times, so that the work of a killed process is reclaimed soon.
    fn config(&self) -> PathBuf {
        let path = self.path("chorus.toml");
        if !path.exists() {
            let text = "[delivery]\nbeat_ms = 200\nsilent_ms = 1500\nunclaimed_ms = 1000\n[roles]\nplanner = [[\"deepseek/deepseek-v4-pro\"]]\n\
                        writer = [[\"deepseek/deepseek-v4-pro\"]]\nmerger = [[\"deepseek/deepseek-v4-pro\"]]\njudge = [[\"deepseek/deepseek-v4-pro\"]]\n";
            std::fs::write(&path, text).expect("the file is written");
        }
        path
    }

    /// Adds sections to the configuration.
    pub(crate) fn configure(&self, sections: &str) {
        let path = self.config();
        let text = read(self.folder.path(), "chorus.toml");
        std::fs::write(path, text + sections).expect("the file is written");
    }

    /// Every call that the providers received.
    pub(crate) fn journal(&self) -> Vec<Entry> {
        self.witness
            .journal()
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line of the journal"))
            .collect()
    }

    /// The only project of the data folder.
    pub(crate) fn project(&self) -> ProjectId {
        let listed = self.chorus(&["project", "list"]);
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        let id = text
            .split_whitespace()
            .find(|word| word.starts_with("prj_"))
            .expect("a project in the list");
        id.parse().expect("an id")
    }

    /// Every delivery of a project, read from the database.
    pub(crate) async fn deliveries(&self, project: ProjectId) -> Vec<DeliveryRow> {
        let place = DatabaseUrl::Sqlite(self.path("data").join("chorus.db"));
        let store = Store::open(place, Pending::Refuse)
            .await
            .expect("the database opens");
        let rows = store.of_project(project).await.expect("the rows are read");
        store.close().await;
        rows
    }

    /// The report of a result folder.
    pub(crate) fn report(&self, out: &str) -> Value {
        let path = self.path(out).join("chorus-report/report.json");
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_str(&text).expect("a report")
    }

    /// Every file of a deliverable with its hash, from the report.
    pub(crate) fn hashes(&self, out: &str) -> Vec<(String, String)> {
        let report = self.report(out);
        let files = report["files"].as_array().expect("files").iter();
        files
            .map(|file| (text(&file["path"]), text(&file["sha256"])))
            .collect()
    }

    /// Maximum calls in flight of any organisation, by the providers' own count.
    pub(crate) fn most_in_flight(&self) -> u64 {
        let peaks = self
            .witness
            .counts()
            .into_iter()
            .flat_map(|count| count.limits);
        peaks
            .filter(|peak| peak.counted == Counted::Concurrency)
            .map(|peak| peak.peak)
            .max()
            .unwrap_or(0)
    }

    /// Checks by the providers' own count that no call exceeded a limit of the accounts, and that
    /// no limit was exceeded at any moment. Injected refusals do not count.
    fn check_limits(&self) {
        let passed: Vec<Entry> = self
            .journal()
            .into_iter()
            .filter(|entry| entry.passed.is_some())
            .collect();
        assert!(passed.is_empty(), "calls beyond a limit: {passed:#?}");
        for count in self.witness.counts() {
            assert_eq!(count.refused, 0, "{count:?}");
            for peak in &count.limits {
                assert!(peak.peak <= peak.limit, "{count:?}");
            }
        }
    }

    /// Checks the limits and stops the providers.
    pub(crate) async fn end(mut self) {
        self.check_limits();
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        self.serving
            .await
            .expect("the providers did not panic")
            .expect("the providers ended well");
    }
}

/// Text of a JSON string.
pub(crate) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}

/// All output of a process.
pub(crate) fn output_text(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Reads a file below a folder.
pub(crate) fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}
