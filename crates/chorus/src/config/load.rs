//! Defaults, then a file, then variables: each overrides the one before, key by key.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chorus_core::catalog::Catalog;
use serde::Deserialize;
use toml::{Table, Value};

use super::check::{BUILT, check};
use super::{Config, ConfigError, DEFAULTS};

/// Environment variables; a port, so that tests of the loader need none of the real ones.
pub(crate) trait Environment {
    /// The value of a variable.
    fn variable(&self, name: &str) -> Option<String>;

    /// All variables with the prefix `CHORUS_`, those of [`NOT_SETTINGS`] too.
    fn own(&self) -> Vec<(String, String)>;
}

/// The [`Environment`] of this process.
pub(crate) struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    #[expect(clippy::disallowed_methods, reason = "this is the loader")]
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    #[expect(clippy::disallowed_methods, reason = "this is the loader")]
    fn own(&self) -> Vec<(String, String)> {
        std::env::vars()
            .filter(|(name, _)| name.starts_with("CHORUS_"))
            .collect()
    }
}

/// Variables of that prefix which are not settings.
const NOT_SETTINGS: [&str; 3] = ["CHORUS_CONFIG", "CHORUS_CRASH", "CHORUS_API_KEY"];

/// Variables of the test suites and of the scripts that start servers, which may be set where a process starts.
const OF_OTHERS: [&str; 3] = ["CHORUS_TEST_", "CHORUS_SERVICES_", "CHORUS_LOCAL_MODEL_"];

/// The configuration: defaults, then `file` (or the one named by `CHORUS_CONFIG`), then variables.
pub(crate) fn load(
    file: Option<&Path>,
    environment: &dyn Environment,
) -> Result<Config, ConfigError> {
    let mut table = parse("chorus.default.toml", DEFAULTS)?;
    let mut source = "the environment".to_owned();
    let named = file
        .map(Path::to_path_buf)
        .or_else(|| environment.variable("CHORUS_CONFIG").map(PathBuf::from));
    if let Some(path) = named {
        let text = read(&path).map_err(|error| ConfigError::Unreadable {
            file: path.clone(),
            reason: error.to_string(),
        })?;
        source = path.display().to_string();
        let given = parse(&source, &text)?;
        overlay(&source, &mut table, given)?;
    }
    for (name, text) in environment.own() {
        if !NOT_SETTINGS.contains(&name.as_str())
            && !OF_OTHERS.iter().any(|prefix| name.starts_with(prefix))
        {
            set(&mut table, &name, &text)?;
        }
    }
    let mut config = typed(&source, table)?;
    if let Some(home) = environment.variable("HOME") {
        config.data.dir = expand(&config.data.dir, &home);
        config.data.key_file = expand(&config.data.key_file, &home);
        config.models.file = expand(&config.models.file, &home);
    }
    if !config.models.file.as_os_str().is_empty() {
        config.catalog = own_models(&source, &config.models.file)?;
    }
    check(&config, BUILT, &source)?;
    Ok(config)
}

/// Reads a regular file; a pipe or a device would be waited for without an end.
fn read(path: &Path) -> std::io::Result<String> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is no regular file"));
    }
    std::fs::read_to_string(path)
}

/// The catalogue with the rows of a user's file.
fn own_models(source: &str, file: &Path) -> Result<Arc<Catalog>, ConfigError> {
    let refusal = |reason: String| ConfigError::Key {
        file: source.to_owned(),
        key: "models.file".to_owned(),
        reason: format!("{}: {reason}", file.display()),
    };
    let text = read(file).map_err(|error| refusal(error.to_string()))?;
    chorus_upstream::catalog::with_own_models(&text)
        .map(Arc::new)
        .map_err(|error| refusal(error.to_string()))
}

fn parse(file: &str, text: &str) -> Result<Table, ConfigError> {
    text.parse::<Table>().map_err(|error| ConfigError::Syntax {
        file: file.to_owned(),
        line: error.span().map_or(1, |span| {
            1 + text[..span.start.min(text.len())].matches('\n').count()
        }),
        reason: error.message().to_owned(),
    })
}

/// Puts the given keys over the defaults; a key that the defaults do not have is unknown.
fn overlay(file: &str, defaults: &mut Table, given: Table) -> Result<(), ConfigError> {
    let key = |key: &str, reason: String| ConfigError::Key {
        file: file.to_owned(),
        key: key.to_owned(),
        reason,
    };
    for (section, value) in given {
        let Some(Value::Table(known)) = defaults.get_mut(&section) else {
            let sections: Vec<&str> = defaults.keys().map(String::as_str).collect();
            return Err(key(
                &section,
                format!("unknown section, expected one of: {}", sections.join(", ")),
            ));
        };
        let Value::Table(values) = value else {
            return Err(key(
                &section,
                format!("found {}, expected a section [{section}]", value.type_str()),
            ));
        };
        for (name, value) in values {
            check_renamed(file, &section, &name)?;
            if !known.contains_key(&name) {
                let names: Vec<&str> = known.keys().map(String::as_str).collect();
                return Err(key(
                    &format!("{section}.{name}"),
                    format!("unknown key, expected one of: {}", names.join(", ")),
                ));
            }
            known.insert(name, value);
        }
    }
    Ok(())
}

/// Keys that had another name in an earlier release: section, old key, new key.
const RENAMED: [(&str, &str, &str); 1] = [("roles", "worker", "writer")];

/// Returns an error that names the new key if this key was renamed.
fn check_renamed(file: &str, section: &str, name: &str) -> Result<(), ConfigError> {
    let renamed = RENAMED
        .iter()
        .find(|(of, old, _)| (*of, *old) == (section, name));
    renamed.map_or(Ok(()), |(_, old, new)| {
        Err(ConfigError::Key {
            file: file.to_owned(),
            key: format!("{section}.{old}"),
            reason: format!("this key is called `{section}.{new}` now: rename it"),
        })
    })
}

/// Overrides one key by a variable; the text is read as TOML where it is, else as a plain string.
fn set(table: &mut Table, variable: &str, text: &str) -> Result<(), ConfigError> {
    let unknown = || ConfigError::Key {
        file: "the environment".to_owned(),
        key: variable.to_owned(),
        reason: "no such setting; variables are CHORUS_<SECTION>_<KEY>, see chorus.default.toml"
            .to_owned(),
    };
    let path = variable.trim_start_matches("CHORUS_").to_lowercase();
    let (section, key) = path.split_once('_').ok_or_else(unknown)?;
    let Some(Value::Table(known)) = table.get_mut(section) else {
        return Err(unknown());
    };
    check_renamed("the environment", section, key)?;
    let old = known.get(key).ok_or_else(unknown)?;
    let value = match old {
        Value::String(_) => Value::String(text.to_owned()),
        _ => format!("value = {text}")
            .parse::<Table>()
            .ok()
            .and_then(|mut table| table.remove("value"))
            .unwrap_or_else(|| Value::String(text.to_owned())),
    };
    known.insert(key.to_owned(), value);
    Ok(())
}

fn typed(file: &str, table: Table) -> Result<Config, ConfigError> {
    let mut track = serde_path_to_error::Track::new();
    let deserializer = serde_path_to_error::Deserializer::new(Value::Table(table), &mut track);
    Config::deserialize(deserializer).map_err(|error| ConfigError::Key {
        file: file.to_owned(),
        key: track.path().to_string(),
        reason: error
            .message()
            .trim_end()
            .replace('\n', " ")
            .replace("invalid type:", "found")
            .replace("invalid value:", "found"),
    })
}

fn expand(path: &Path, home: &str) -> PathBuf {
    path.strip_prefix("~")
        .map_or_else(|_| path.to_path_buf(), |rest| Path::new(home).join(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(Vec<(&'static str, &'static str)>);

    impl Environment for Fixed {
        fn variable(&self, name: &str) -> Option<String> {
            self.0
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        }

        fn own(&self) -> Vec<(String, String)> {
            self.0
                .iter()
                .filter(|(key, _)| key.starts_with("CHORUS_"))
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect()
        }
    }

    fn load_both(
        file: &str,
        variables: Vec<(&'static str, &'static str)>,
    ) -> Result<Config, String> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("my.toml");
        std::fs::write(&path, file).expect("the file is written");
        load(Some(&path), &Fixed(variables)).map_err(|error| {
            error
                .to_string()
                .replace(&dir.path().display().to_string(), "")
        })
    }

    #[test]
    fn the_default_file_is_a_whole_configuration() {
        let config = load_both("", vec![("HOME", "/home/me")]).expect("the defaults are valid");
        assert_eq!(
            config.data.dir,
            Path::new("/home/me/.local/share/chorus/data")
        );
        assert_eq!(config.project.budget().to_string(), "$5.00");
    }

    #[test]
    fn a_file_and_then_a_variable_override_a_key() {
        let config = load_both(
            "[worker]\nslots = 7\nmax_retries = 2\n",
            vec![("CHORUS_WORKER_SLOTS", "9")],
        )
        .expect("valid");
        assert_eq!((config.worker.slots, config.worker.max_retries), (9, 2));
    }

    #[test]
    fn what_is_wrong_is_named_with_file_key_found_and_expected() {
        let cases = [
            (
                "[worker]\nslot = 7\n",
                "/my.toml: key `worker.slot`: unknown key, expected one of: call_timeout_seconds, max_retries, slots",
            ),
            (
                "[roles]\nworker = []\n",
                "/my.toml: key `roles.worker`: this key is called `roles.writer` now: rename it",
            ),
            (
                "[wroker]\n",
                "/my.toml: key `wroker`: unknown section, expected one of: artifacts, bus, data, database, delivery, drain, gateway, limits, log, models, network, probe, project, roles, worker",
            ),
            (
                "[worker]\nslots = \"many\"\n",
                "/my.toml: key `worker.slots`: found string \"many\", expected u32",
            ),
            (
                "[project]\nbudget_usd = true\n",
                "/my.toml: key `project.budget_usd`: found boolean `true`, expected an amount of dollars such as 5 or 2.50",
            ),
            (
                "worker = 3\n",
                "/my.toml: key `worker`: found integer, expected a section [worker]",
            ),
            (
                "[worker]\nslots = 0\n",
                "/my.toml: key `worker.slots`: found 0, expected 1 to 100000",
            ),
            (
                "[project]\nmax_tasks = 0\n",
                "/my.toml: key `project.max_tasks`: found 0, expected 1 to 10000",
            ),
            (
                "[project]\nbudget_usd = 0\n",
                "/my.toml: key `project.budget_usd`: found $0.00, expected more than 0: no call could be made",
            ),
            (
                "[drain]\nseconds = 9000000000000000000\n",
                "/my.toml: key `drain.seconds`: found 18446744073709551, expected 0 to 86400",
            ),
            (
                "[log]\nlevel = \"chatty\"\n",
                "/my.toml: key `log.level`: found \"chatty\", expected \"auto\", one of: error, warn, info, debug, trace, off, or a filter such as \"chorus_worker=debug,info\"",
            ),
            (
                "[delivery]\nbeat_ms = 6000\n",
                "/my.toml: key `delivery.beat_ms`: found 6000, and delivery.silent_ms is 5000: a healthy holder would be taken for lost between two beats; expected at most half of it, 2500",
            ),
            (
                "[worker\n",
                "/my.toml, line 1: not valid TOML: unclosed table, expected `]`",
            ),
        ];
        for (file, expected) in cases {
            assert_eq!(load_both(file, vec![]).expect_err(file), expected);
        }
    }

    #[test]
    fn a_model_of_a_role_that_the_catalogue_lacks_is_named_with_those_it_has() {
        let refusal = load_both("[roles]\njudge = [[\"openai/gpt-0\"]]\n", vec![])
            .expect_err("there is no such model");
        let begin = "/my.toml: key `roles.judge`: found \"openai/gpt-0\", which is no model of the catalogue; expected some of: ";
        assert!(refusal.starts_with(begin), "{refusal}");
        for level in ["warn", "chorus_worker=debug,info", "auto"] {
            let file = format!("[log]\nlevel = \"{level}\"\n");
            assert!(load_both(&file, vec![]).is_ok(), "{level}");
        }
    }

    #[test]
    fn own_models_extend_the_catalogue_and_override_prices() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let own = dir.path().join("models.toml");
        let rows = "[[model]]\nslug = \"local/qwen3\"\nroutes = { compatible = \"qwen3:8b\" }\ncontext = 32_768\n\n\
                    [[model]]\nslug = \"deepseek/deepseek-v4-pro\"\nprice = { input = 1, output = 2 }\n";
        std::fs::write(&own, rows).expect("the file is written");
        let file = format!(
            "[models]\nfile = \"{}\"\n[roles]\njudge = [[\"local/qwen3\"]]\n",
            own.display()
        );
        let config = load_both(&file, vec![]).expect("both files are valid");
        let model = |slug: &str| {
            let slug = chorus_core::id::ModelSlug::new(slug);
            config.catalog.model(&slug).expect("it is there").clone()
        };
        let (new, priced) = (model("local/qwen3"), model("deepseek/deepseek-v4-pro"));
        assert_eq!(
            (new.context, new.max_output, new.price.input.0),
            (32_768, 8_192, 0)
        );
        assert_eq!((priced.price.input.0, priced.price.output.0), (1, 2));
        assert!(priced.context > 100_000, "the other keys stay");
        std::fs::write(
            &own,
            "[[model]]\nslug = \"local/x\"\nroutes = { nowhere = \"x\" }\ncontext = 9\n",
        )
        .expect("the file is written");
        let refusal = load_both(&file, vec![]).expect_err("nowhere is no provider");
        assert!(
            refusal.contains("models.file") && refusal.contains("nowhere"),
            "{refusal}"
        );
    }

    #[test]
    fn a_variable_that_is_no_setting_is_refused() {
        let refusal =
            load_both("", vec![("CHORUS_WORKER_SLOTZ", "9")]).expect_err("there is no such key");
        assert!(refusal.contains("CHORUS_WORKER_SLOTZ"), "{refusal}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let refusal =
            load(Some(Path::new("/no/such.toml")), &Fixed(vec![])).expect_err("it is not there");
        assert!(
            refusal
                .to_string()
                .starts_with("cannot read the configuration /no/such.toml:"),
            "{refusal}"
        );
    }
}
