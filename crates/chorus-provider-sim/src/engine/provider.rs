//! One provider: its organisations, their keys and limits, its models and its speed.

use std::collections::BTreeMap;

use super::call::{CallId, CallRequest};
use super::hash::Hash;
use super::quota::{Draw, Exceeded, Flight, Level, Peak, Quota};
use super::schedule::{Pace, Timed};
use super::wire::{self, Refusal, Wire};
use crate::config::{ModelConfig, OrganisationConfig, OrganisationStatus, ProviderConfig};

/// One provider.
pub struct Provider {
    config: ProviderConfig,
    wire: &'static dyn Wire,
    speed: f64,
    keys: BTreeMap<String, usize>,
    quotas: BTreeMap<QuotaKey, Quota>,
}

/// Key of a [`Quota`]: an organisation and a group of models.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct QuotaKey {
    organisation: usize,
    group: String,
}

/// The provider's own count of one organisation's limits on one group of models.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Count {
    /// Name of the provider.
    pub provider: String,
    /// Id of the organisation.
    pub organisation: String,
    /// Group of models.
    pub group: String,
    /// Number of admitted calls.
    pub admitted: u64,
    /// Number of calls refused because of a limit.
    pub refused: u64,
    /// Maximum use of each limit.
    pub limits: Vec<Peak>,
}

impl Provider {
    /// Creates a provider with full limits.
    pub fn new(config: ProviderConfig, speed: f64) -> Self {
        let keys = config
            .organisations
            .iter()
            .enumerate()
            .flat_map(|(quota, organisation)| {
                organisation
                    .keys
                    .iter()
                    .map(move |key| (key.clone(), quota))
            })
            .collect();
        Self {
            wire: wire::of(config.dialect),
            config,
            speed: speed.max(0.001),
            keys,
            quotas: BTreeMap::new(),
        }
    }

    /// [`ProviderConfig`] of the provider.
    pub const fn config(&self) -> &ProviderConfig {
        &self.config
    }

    /// [`Wire`] format of the provider.
    pub fn wire(&self) -> &'static dyn Wire {
        self.wire
    }

    /// Returns the organisation of a key.
    pub fn organisation(&self, key: &str) -> Option<&OrganisationConfig> {
        self.keys
            .get(key)
            .and_then(|quota| self.config.organisations.get(*quota))
    }

    /// Checks everything that is independent of load: key, model, status, size.
    pub fn check(&self, key: &str, ask: &CallRequest) -> Result<(&ModelConfig, QuotaKey), Refusal> {
        let (organisation, customer) = self
            .keys
            .get(key)
            .and_then(|quota| Some((*quota, self.config.organisations.get(*quota)?)))
            .ok_or(Refusal::DeadKey)?;
        let model = self
            .config
            .models
            .iter()
            .find(|model| model.id == ask.model);
        match customer.status {
            OrganisationStatus::Good => {}
            OrganisationStatus::Revoked => return Err(Refusal::DeadKey),
            OrganisationStatus::Unpaid => return Err(Refusal::Unpaid),
            OrganisationStatus::Capped => return Err(Refusal::Capped),
        }
        let model = model.ok_or(Refusal::UnknownModel)?;
        self.wire.check(ask, model).map_err(Refusal::Invalid)?;
        let (input, output) = (ask.input_tokens(), ask.max_tokens.unwrap_or(0));
        let needed = if self.wire.reply_counts_in_context() {
            input + output
        } else {
            input
        };
        if needed > model.context {
            return Err(Refusal::Overflow {
                input,
                output,
                context: model.context,
            });
        }
        Ok((
            model,
            QuotaKey {
                organisation,
                group: model.group.clone().unwrap_or_else(|| model.id.clone()),
            },
        ))
    }

    /// Draws on the limits, or returns the limit that the call exceeds.
    pub fn admit(
        &mut self,
        quota: &QuotaKey,
        ask: &CallRequest,
        now_ms: u64,
    ) -> Result<(), Exceeded> {
        let input = ask.input_tokens();
        let draw = Draw {
            input,
            total: self.wire.charged_at_entry(ask, input),
        };
        let refused_count = self.wire.refused_calls_count();
        self.quota(quota, now_ms).admit(draw, refused_count)
    }

    /// Starts serving an admitted call.
    pub fn begin(&mut self, quota: &QuotaKey, call: CallId, timed: &Timed, now_ms: u64) {
        let flight = Flight::new(
            call,
            now_ms + timed.first_ms,
            now_ms + timed.last_ms,
            timed.produced,
        );
        self.quota(quota, now_ms).begin(flight);
    }

    /// Ends a call, after its grace if the client closed the connection.
    pub fn end(&mut self, quota: &QuotaKey, call: CallId, now_ms: u64, aborted: bool) {
        let grace = if aborted {
            self.real_ms(self.config.service.abort_grace_ms)
        } else {
            0
        };
        let quota = self.quota(quota, now_ms);
        quota.end(call, now_ms + grace);
        quota.advance(now_ms);
    }

    /// Current [`Level`]s of the limits.
    pub fn levels(&mut self, quota: &QuotaKey, now_ms: u64) -> Vec<Level> {
        self.quota(quota, now_ms).levels()
    }

    /// The provider's own counts.
    pub fn counts(&self) -> impl Iterator<Item = Count> {
        self.quotas.iter().map(|(key, quota)| Count {
            provider: self.config.name.clone(),
            organisation: self.config.organisations[key.organisation].id.clone(),
            group: key.group.clone(),
            admitted: quota.calls().0,
            refused: quota.calls().1,
            limits: quota.peaks(),
        })
    }

    /// Speed of a call; variation comes from its hash.
    pub fn pace(&self, quota: &QuotaKey, input: u64, chance: Hash, factor: u32) -> Pace {
        let service = self.config.service;
        let jitter = f64::from(service.jitter_percent) / 100.0;
        let luck = (chance.with(11).value() % 2001) as f64 / 1000.0 - 1.0;
        let speed = self.speed
            * self.config.organisations[quota.organisation]
                .speed
                .max(0.001);
        let slower = f64::from(factor.max(1)) * (1.0 + jitter * luck) / speed;
        let reading_ms = input as f64 * 1000.0 / service.reads_per_second.max(1) as f64;
        Pace {
            first_us: micros((service.first_token_ms as f64 + reading_ms) * slower),
            token_us: micros(1000.0 / service.writes_per_second.max(1) as f64 * slower),
            keep_alive_us: micros(service.keep_alive_ms as f64 / self.speed),
        }
    }

    /// Converts provider time to real milliseconds, at least 1.
    pub fn real_ms(&self, provider_ms: u64) -> u64 {
        ((provider_ms as f64 / self.speed).round() as u64).max(1)
    }

    fn quota(&mut self, quota: &QuotaKey, now_ms: u64) -> &mut Quota {
        let minute_ms = self.real_ms(60_000);
        let customer = &self.config.organisations[quota.organisation];
        let quota = self.quotas.entry(quota.clone()).or_insert_with(|| {
            let limits = customer
                .groups
                .get(&quota.group)
                .copied()
                .unwrap_or(customer.limits);
            Quota::new(limits, minute_ms, now_ms)
        });
        quota.advance(now_ms);
        quota
    }
}

fn micros(ms: f64) -> u64 {
    (ms * 1000.0).round().max(0.0) as u64
}
