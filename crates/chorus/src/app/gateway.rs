//! The gateway over this app's ports, as the configuration asks for it.

use std::sync::Arc;

use chorus_gateway::{Auth, Bounds, Gateway, Ports, Settings};

use super::App;
use crate::config::GatewayAuth;

impl App {
    /// The gateway, not yet listening. Probes and metrics go beside it; then it serves a listener.
    pub(crate) fn gateway(&self) -> Gateway {
        let ports = Ports {
            projects: Arc::clone(&self.ports.projects),
            deliveries: Arc::clone(&self.ports.deliveries),
            outbox: Arc::clone(&self.ports.outbox),
            directory: Arc::clone(&self.ports.directory),
            artifacts: Arc::clone(&self.ports.artifacts),
            bus: Arc::clone(&self.ports.bus),
            clock: Arc::clone(&self.clock),
            keys: Arc::clone(&self.ports.keys),
        };
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
        Gateway::new(ports, settings)
    }
}
