//! The gateway over this app's ports, as the configuration asks for it.

use std::sync::Arc;

use chorus_gateway::{Auth, Bounds, Gateway, Settings};

use super::App;
use crate::config::GatewayAuth;

impl App {
    /// The gateway, not yet listening. Probes and metrics go beside it; then it serves a listener.
    pub(crate) fn gateway(&self) -> Gateway {
        let config = &self.config;
        let usual = Settings::usual(Arc::clone(&self.catalog), config.roles.lists());
        let settings = Settings {
            auth: match config.gateway.auth {
                GatewayAuth::Keys => Auth::Keys,
                GatewayAuth::Open => Auth::Open(self.tenant.clone()),
            },
            bounds: Bounds {
                brief: config.project.max_brief_bytes,
                attachment: config.project.max_attachment_bytes,
                body: config.gateway.max_body_bytes,
                ..usual.bounds
            },
            budget: config.project.budget(),
            most_budget: config.gateway.most_budget(),
            ..usual
        };
        Gateway::new(self.ports.clone(), settings)
    }
}
