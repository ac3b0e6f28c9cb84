//! `chorus model list|add|remove`: models of the catalogue with their own names, prices and routes, and rows of one's own
//! in the file of `models.file`. Comments and the order of that file stay as they are.

use std::path::{Path, PathBuf};

use chorus_core::catalog::Model;
use chorus_core::id::ProviderId;
use toml_edit::{ArrayOfTables, DocumentMut, InlineTable, Item, RawString, Table, value};

use crate::cli::{ModelCommand, NewModelArgs};
use crate::config::Config;
use crate::exit::Exit;
use crate::failure::{ErrorCode, Failure};

/// Key of the rows.
const ROWS: &str = "model";

/// Carries the command out.
pub(crate) fn run(config: &Config, command: ModelCommand) -> anyhow::Result<Exit> {
    match command {
        ModelCommand::List { provider, json } => list(config, provider.as_deref(), json),
        ModelCommand::Add(new) => add(&file(config)?, &new),
        ModelCommand::Remove { slug } => remove(&file(config)?, &slug),
    }
}

fn list(config: &Config, provider: Option<&str>, is_json: bool) -> anyhow::Result<Exit> {
    let mut models: Vec<&Model> = config.catalog.models.iter().collect();
    models.retain(|model| {
        let mut routes = model.routes.keys();
        provider.is_none_or(|provider| routes.any(|route| route.as_str() == provider))
    });
    if is_json {
        println!("{}", serde_json::to_string_pretty(&models)?);
        return Ok(Exit::Done);
    }
    println!(
        "{:<34} {:<10} {:>9} {:>8} {:>10} {:>10}  providers",
        "model", "pool", "context", "output", "in/M", "out/M"
    );
    for model in models {
        let is_callable = |route: &&ProviderId| {
            let row = config.catalog.provider(route);
            row.is_some_and(|row| row.not_callable.is_none())
        };
        let routes = model.routes.keys().filter(is_callable);
        let routes: Vec<&str> = routes.map(|route| route.as_str()).collect();
        println!(
            "{:<34} {:<10} {:>9} {:>8} {:>10} {:>10}  {}",
            model.slug.to_string(),
            model.pool.to_string(),
            model.context,
            model.max_output,
            model.price.input.to_string(),
            model.price.output.to_string(),
            routes.join(", ")
        );
    }
    println!(
        "\nOwn models, prices and names: `chorus model add`, or models.file in the configuration, see docs/accounts.md."
    );
    Ok(Exit::Done)
}

/// Writes a row, in the place of one with the same name.
fn add(file: &Path, new: &NewModelArgs) -> anyhow::Result<Exit> {
    let mut document = read(file)?;
    // Comments after the last row stay before a new one.
    let comments = document.trailing().as_str().unwrap_or_default().to_owned();
    let rows = rows(&mut document)?;
    let is_known = find(rows, &new.slug).is_some();
    match find(rows, &new.slug) {
        Some(at) => {
            let known = rows.get_mut(at).ok_or_else(|| broken(file))?;
            fill(known, new);
        }
        None => {
            let mut row = Table::new();
            fill(&mut row, new);
            row.decor_mut().set_prefix(comments);
            rows.push(row);
            document.set_trailing("");
        }
    }
    write(file, &document)?;
    let done = if is_known { "changed" } else { "added" };
    println!("{} is {done} in {}.", new.slug, file.display());
    println!("Processes that run read it when they start again; name it in [roles] to use it.");
    Ok(Exit::Done)
}

fn remove(file: &Path, slug: &str) -> anyhow::Result<Exit> {
    let mut document = read(file)?;
    let rows = rows(&mut document)?;
    let Some(at) = find(rows, slug) else {
        let message = format!("{} has no model {slug:?}", file.display());
        return Err(Failure::new(ErrorCode::InvalidArgument, message).into());
    };
    let prefix = |row: &Table| {
        row.decor()
            .prefix()
            .and_then(RawString::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let comments = rows.get(at).map(prefix).unwrap_or_default();
    rows.remove(at);
    match rows.get_mut(at) {
        Some(next) => {
            let comments = format!("{comments}{}", prefix(next));
            next.decor_mut().set_prefix(comments);
        }
        None => {
            let comments = format!(
                "{comments}{}",
                document.trailing().as_str().unwrap_or_default()
            );
            document.set_trailing(comments);
        }
    }
    write(file, &document)?;
    println!("{slug} is removed from {}.", file.display());
    Ok(Exit::Done)
}

/// Sets the keys that the command names; others of a known row stay.
fn fill(row: &mut Table, new: &NewModelArgs) {
    row["slug"] = value(new.slug.as_str());
    if !new.route.is_empty() {
        let mut routes = InlineTable::new();
        for (provider, name) in &new.route {
            routes.insert(provider, name.as_str().into());
        }
        row["routes"] = value(routes);
    }
    let numbers = [
        ("context", new.context),
        ("max_output", new.max_output),
        ("strength", new.strength),
    ];
    for (key, number) in numbers {
        if let Some(number) = number {
            row[key] = value(i64::from(number));
        }
    }
    let prices = [("input", new.input_price), ("output", new.output_price)];
    if prices.iter().any(|(_, price)| price.is_some()) {
        let mut price = InlineTable::new();
        for (key, dollars) in prices {
            let micros = dollars.map_or(0, |dollars| dollars.0.0);
            price.insert(key, micros.into());
        }
        row["price"] = value(price);
    }
    if let Some(pool) = &new.pool {
        row["pool"] = value(pool.as_str());
    }
}

/// File of own models.
fn file(config: &Config) -> anyhow::Result<PathBuf> {
    let file = &config.models.file;
    if file.as_os_str().is_empty() {
        let message = "no file of own models is configured: name one as models.file, or in CHORUS_MODELS_FILE";
        return Err(Failure::new(ErrorCode::ConfigurationInvalid, message).into());
    }
    Ok(file.clone())
}

fn read(file: &Path) -> anyhow::Result<DocumentMut> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Failure::caused(ErrorCode::FileUnreadable, error).into()),
    };
    text.parse::<DocumentMut>().map_err(|_| broken(file).into())
}

fn broken(file: &Path) -> Failure {
    let message = format!("{} is no file of models", file.display());
    Failure::new(ErrorCode::ConfigurationInvalid, message)
}

/// The rows of the file; they are made if there are none.
fn rows(document: &mut DocumentMut) -> anyhow::Result<&mut ArrayOfTables> {
    let item = document
        .entry(ROWS)
        .or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    item.as_array_of_tables_mut().ok_or_else(|| {
        let message = "`model` in the file of own models is no list of tables";
        Failure::new(ErrorCode::ConfigurationInvalid, message).into()
    })
}

fn find(rows: &ArrayOfTables, slug: &str) -> Option<usize> {
    let is_it = |row: &Table| row.get("slug").and_then(Item::as_str) == Some(slug);
    rows.iter().position(is_it)
}

/// Replaces the file by the document, if the catalogue takes it; a full disk leaves the file as it was.
fn write(file: &Path, document: &DocumentMut) -> anyhow::Result<()> {
    let text = document.to_string();
    chorus_upstream::catalog::with_own_models(&text)
        .map_err(|error| Failure::caused(ErrorCode::InvalidArgument, error))?;
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut new = tempfile::NamedTempFile::new_in(folder.unwrap_or_else(|| Path::new(".")))?;
    std::io::Write::write_all(&mut new, text.as_bytes())?;
    new.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_added_changed_and_removed_and_comments_stay() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let file = folder.path().join("models.toml");
        std::fs::write(&file, "# mine\n").expect("the file is written");
        let mut new = NewModelArgs {
            slug: "local/qwen3".to_owned(),
            route: vec![("compatible".to_owned(), "qwen3:8b".to_owned())],
            context: Some(32_768),
            max_output: None,
            strength: Some(40),
            input_price: None,
            output_price: None,
            pool: Some("qwen".to_owned()),
        };
        add(&file, &new).expect("the catalogue takes it");
        new.context = Some(65_536);
        new.route.clear();
        add(&file, &new).expect("the catalogue takes it");
        let text = std::fs::read_to_string(&file).expect("the file is there");
        assert!(text.starts_with("# mine\n"), "{text}");
        assert_eq!(text.matches("[[model]]").count(), 1, "{text}");
        assert!(
            text.contains("65536") && text.contains("qwen3:8b"),
            "{text}"
        );
        let catalog = chorus_upstream::catalog::with_own_models(&text).expect("it is written");
        assert!(
            catalog
                .pools()
                .iter()
                .any(|pool| pool.to_string() == "qwen")
        );
        new.route = vec![("nowhere".to_owned(), "x".to_owned())];
        add(&file, &new).expect_err("there is no such provider");
        let kept = std::fs::read_to_string(&file).expect("the file is there");
        assert_eq!(kept, text, "a refused row changes nothing");
        remove(&file, "local/qwen3").expect("it is there");
        remove(&file, "local/qwen3").expect_err("it is gone");
        let left = std::fs::read_to_string(&file).expect("the file is there");
        assert_eq!(left.trim(), "# mine");
    }
}
