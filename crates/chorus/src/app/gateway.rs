//! Gateways over the ports of an [`App`]: one for a listener, one for this process alone.

use std::sync::Arc;

use axum::Router;
use chorus_core::money::MicroUsd;
use chorus_gateway::{Auth, Bounds, Gateway, LimitSource, Settings};
use chorus_report::LimitInForce;

use super::App;
use crate::config::GatewayAuth;

/// Maximum budget of a project on the machine of its owner, in dollars; that of the argument `--budget`.
const MAX_LOCAL_BUDGET: i64 = 1_000_000;

impl App {
    /// The gateway, not yet listening. The caller adds [health endpoints](crate::health::routes) and a listener.
    pub(crate) fn gateway(&self) -> Gateway {
        Gateway::new(self.ports.clone(), self.gateway_settings())
    }

    /// Router of a gateway for this process alone, and the task that wakes its event streams. Requests act as the
    /// local tenant and need no key; nothing may serve the router on a socket.
    pub(crate) fn local_gateway(&self) -> (Router, impl Future<Output = ()> + Send + 'static) {
        let settings = self.gateway_settings();
        let settings = Settings {
            bounds: Bounds {
                body: usize::MAX,
                ..settings.bounds
            },
            most_budget: MicroUsd::from_dollars(MAX_LOCAL_BUDGET),
            is_simulated: self.config.is_demo,
            limits_in_force: self.limits_in_force(),
            ..settings
        };
        Gateway::new(self.ports.clone(), settings).in_process(self.tenant.clone())
    }

    fn gateway_settings(&self) -> Settings {
        let config = &self.config;
        let usual = Settings::usual(Arc::clone(&self.catalog), config.roles.lists());
        Settings {
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
            operator: Some(Arc::new(self.operator())),
            ..usual
        }
    }

    /// Limits of this process's ledger as they are in force; none where the ledger is shared.
    fn limits_in_force(&self) -> LimitSource {
        let ledger = self.adapters.levels.clone();
        LimitSource::new(move || {
            let groups = ledger.iter().flat_map(|ledger| ledger.all_levels());
            let limits = groups.flat_map(|group| {
                let limits = group.limits.into_iter();
                limits.map(move |limit| (group.group.clone(), limit))
            });
            limits
                .map(|(group, limit)| LimitInForce {
                    group: group.to_string(),
                    dimension: limit.dimension,
                    window: limit.window,
                    capacity: limit.capacity,
                })
                .collect()
        })
    }
}
