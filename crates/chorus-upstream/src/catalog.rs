//! The catalogue's files, compiled in: providers and models are rows, and tests refuse a wrong one.
//!
//! Default error rules follow each provider's own, so that the first match is the most special.

use std::collections::BTreeSet;

use chorus_core::catalog::{Catalog, ErrorRule, Model, Provider};
use chorus_core::id::Pool;
use chorus_vault::address::{AddressPolicy, check_address};
use serde::Deserialize;

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
