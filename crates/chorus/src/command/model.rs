//! `chorus model list`: models of the catalogue with their own names, prices and routes.

use chorus_core::catalog::Model;
use chorus_core::id::ProviderId;

use crate::cli::ModelCommand;
use crate::config::Config;
use crate::exit::Exit;

/// Carries the command out.
pub(crate) fn run(config: &Config, command: &ModelCommand) -> Exit {
    let ModelCommand::List { provider } = command;
    let mut models: Vec<&Model> = config.catalog.models.iter().collect();
    models.retain(|model| {
        let mut routes = model.routes.keys();
        provider
            .as_ref()
            .is_none_or(|provider| routes.any(|route| route.as_str() == provider))
    });
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
        "\nOwn models, prices and names: models.file in the configuration, see docs/accounts.md."
    );
    Exit::Done
}
