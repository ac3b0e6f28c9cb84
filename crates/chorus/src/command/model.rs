//! `chorus model list`: models of the catalogue with their own names, prices and routes.

use chorus_core::catalog::Model;

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
        let routes: Vec<&str> = model.routes.keys().map(|route| route.as_str()).collect();
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
