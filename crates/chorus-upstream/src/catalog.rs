//! The catalogue's files, compiled in: providers and models are rows, and tests refuse a wrong one.
//!
//! Default error rules follow each provider's own, so that the first match is the most special.

use std::collections::BTreeSet;

use chorus_core::catalog::{Catalog, Covered, ErrorRule, Model, Provider};
use chorus_core::id::Pool;
use chorus_vault::address::{AddressPolicy, check_address};
use serde::Deserialize;
use toml::{Table, Value};

const PROVIDERS: &str = include_str!("../../../catalog/providers.toml");
const MODELS: &str = include_str!("../../../catalog/models.toml");

/// Reason that a catalogue file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The file is not TOML of the expected form.
    #[error("{file}: {key}: {message}")]
    Malformed {
        /// Name of the file.
        file: &'static str,
        /// The key.
        key: String,
        /// What was found and what was expected.
        message: String,
    },
    /// Rows contradict each other.
    #[error("{file}: {message}")]
    Inconsistent {
        /// Name of the file.
        file: &'static str,
        /// What does not fit.
        message: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderFile {
    default_errors: Vec<ErrorRule>,
    provider: Vec<Provider>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelFile {
    model: Vec<Model>,
}

/// The catalogue of this release.
pub fn load() -> Catalog {
    parse(PROVIDERS, MODELS).expect("the shipped catalogue is checked by tests")
}

/// The catalogue of this release with a user's own rows: a file of `[[model]]` tables in the form of `models.toml`.
///
/// A row with a shipped `slug` replaces the keys that it gives, for instance the price alone. A new row needs `slug`,
/// `routes` and `context`; without `max_output` an answer may fill a quarter of the context, without `price` calls cost
/// nothing.
pub fn with_own_models(own: &str) -> Result<Catalog, CatalogError> {
    let OwnFile { model } = read("own models", own)?;
    let mut shipped: Table = MODELS
        .parse()
        .expect("the shipped catalogue is checked by tests");
    let Some(Value::Array(rows)) = shipped.get_mut("model") else {
        return Ok(load());
    };
    for own in model {
        let slug = own.get("slug").cloned();
        let known = rows.iter_mut().filter_map(Value::as_table_mut);
        match known
            .into_iter()
            .find(|row| row.get("slug") == slug.as_ref())
        {
            Some(row) => row.extend(own),
            None => rows.push(Value::Table(completed(own))),
        }
    }
    let text = toml::to_string(&shipped).map_err(|error| CatalogError::Malformed {
        file: "own models",
        key: "file".to_owned(),
        message: error.to_string(),
    })?;
    parse(PROVIDERS, &text)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnFile {
    #[serde(default)]
    model: Vec<Table>,
}

/// A user's row with what it leaves out.
fn completed(mut row: Table) -> Table {
    let context = row.get("context").and_then(Value::as_integer).unwrap_or(0);
    let free = Table::from_iter([
        ("input".to_owned(), Value::Integer(0)),
        ("output".to_owned(), Value::Integer(0)),
    ]);
    let usual = [
        ("pool", Value::String("other".to_owned())),
        ("max_output", Value::Integer(context / 4)),
        ("price", Value::Table(free)),
        ("strength", Value::Integer(40)),
    ];
    for (key, value) in usual {
        row.entry(key).or_insert(value);
    }
    row
}

/// Reads a [`Catalog`] from the texts of its two files; [`load`] reads the shipped ones.
pub fn parse(providers: &str, models: &str) -> Result<Catalog, CatalogError> {
    let ProviderFile {
        default_errors,
        mut provider,
    } = read("providers.toml", providers)?;
    let ModelFile { model } = read("models.toml", models)?;
    for row in &mut provider {
        row.errors.extend(default_errors.iter().cloned());
    }
    let catalog = Catalog {
        providers: provider,
        models: model,
    };
    check_providers(&catalog)?;
    check_models(&catalog)?;
    check_quota(&catalog)?;
    Ok(catalog)
}

fn read<'de, T: Deserialize<'de>>(file: &'static str, text: &'de str) -> Result<T, CatalogError> {
    let malformed = |key: String, message: String| CatalogError::Malformed { file, key, message };
    let document = toml::Deserializer::parse(text)
        .map_err(|error| malformed("file".to_owned(), error.to_string()))?;
    serde_path_to_error::deserialize(document)
        .map_err(|error| malformed(error.path().to_string(), error.inner().message().to_owned()))
}

fn check_providers(catalog: &Catalog) -> Result<(), CatalogError> {
    let wrong = |message: String| {
        Err(CatalogError::Inconsistent {
            file: "providers.toml",
            message,
        })
    };
    let mut seen = BTreeSet::new();
    for row in &catalog.providers {
        if !seen.insert(&row.id) {
            return wrong(format!("{} stands twice", row.id));
        }
        if !row.path.starts_with('/') {
            return wrong(format!("{}: the path must begin with a slash", row.id));
        }
        if let Some(name) = limit_header_names(row).find(|name| !is_header_name(name)) {
            return wrong(format!("{}: {name:?} is no header name", row.id));
        }
        if !row.base_url.is_empty()
            && let Err(refusal) = check_address(&row.base_url, AddressPolicy::default())
        {
            return wrong(format!("{}: {refusal}", row.id));
        }
        if let Some(rule) = row.errors.iter().find(|rule| {
            rule.message
                .as_ref()
                .is_some_and(|words| *words != words.to_lowercase())
        }) {
            return wrong(format!(
                "{}: {:?} is matched in lower case",
                row.id, rule.message
            ));
        }
    }
    Ok(())
}

fn limit_header_names(row: &Provider) -> impl Iterator<Item = &str> {
    row.limit_headers.iter().flat_map(|limit| {
        let reset = limit.reset.as_deref();
        [limit.limit.as_str(), limit.remaining.as_str()]
            .into_iter()
            .chain(reset)
    })
}

/// Returns true if a header can have this name; replies are searched in lower case.
fn is_header_name(name: &str) -> bool {
    http::HeaderName::from_lowercase(name.as_bytes()).is_ok()
}

/// Returns true if the pool can stand in the name of a topic.
fn is_topic_part(pool: &Pool) -> bool {
    let name = pool.as_str();
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty() && name.chars().all(fits)
}

fn check_models(catalog: &Catalog) -> Result<(), CatalogError> {
    let wrong = |message: String| {
        Err(CatalogError::Inconsistent {
            file: "models.toml",
            message,
        })
    };
    let mut seen = BTreeSet::new();
    for row in &catalog.models {
        if !seen.insert(&row.slug) {
            return wrong(format!("{} stands twice", row.slug));
        }
        if !row.slug.as_str().contains('/') {
            return wrong(format!("{} is not family/name", row.slug));
        }
        if !is_topic_part(&row.pool) {
            return wrong(format!(
                "{}: the pool {} may hold a-z, 0-9 and - only: it names a topic",
                row.slug, row.pool
            ));
        }
        if row.routes.is_empty() {
            return wrong(format!("{} has no route", row.slug));
        }
        if let Some(route) = row
            .routes
            .keys()
            .find(|route| catalog.provider(route).is_none())
        {
            return wrong(format!(
                "{} is routed to {route}, which is no provider",
                row.slug
            ));
        }
        if row.max_output > row.context {
            return wrong(format!(
                "{} may answer more than its context holds",
                row.slug
            ));
        }
    }
    Ok(())
}

/// Checks that rows of limits name models of their provider, each once, and have the provider's usual tier.
fn check_quota(catalog: &Catalog) -> Result<(), CatalogError> {
    let wrong = |message: String| {
        Err(CatalogError::Inconsistent {
            file: "providers.toml",
            message,
        })
    };
    for provider in &catalog.providers {
        let mut seen = BTreeSet::new();
        for row in &provider.quota {
            let Covered::Named(models) = &row.models else {
                continue;
            };
            for slug in models {
                let model = catalog.model(slug);
                if !model.is_some_and(|model| model.routes.contains_key(&provider.id)) {
                    return wrong(format!("{}: it does not serve {slug}", provider.id));
                }
                if !seen.insert(slug) {
                    return wrong(format!("{}: {slug} is in two groups", provider.id));
                }
            }
        }
        let tiers = provider.tiers();
        if !tiers.is_empty() && !tiers.contains(provider.tier.as_str()) {
            return wrong(format!(
                "{}: no row has the tier {}",
                provider.id, provider.tier
            ));
        }
    }
    Ok(())
}
