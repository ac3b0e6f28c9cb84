//! Faults on request: by rule, by a marker in the prompt, by a header.
//!
//! Chance is a function of the seed, the rule, the conversation and how often that conversation was seen, so
//! the same calls meet the same faults in whatever order they arrive.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::hash::Hash;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// 429 for a rate.
    RateLimit,
    /// The provider has no room (529 at Anthropic, 503 elsewhere).
    Overloaded,
    /// 500.
    ServerError,
    /// 401.
    DeadKey,
    /// 402, or OpenAI's 429 `insufficient_quota`.
    Unpaid,
    /// The customer's own spend limit is reached.
    Capped,
    /// It takes `factor` times as long.
    Slow,
    /// It stops in mid-reply and never ends.
    Hang,
    /// The connection is cut in mid-reply.
    Cut,
    /// The stream ends with an error event.
    Die,
    /// Nothing is said.
    Empty,
    /// The model refuses.
    Refusal,
    /// The reply ends early, as if it had reached its limit of tokens.
    Length,
    /// The body is not JSON.
    Garbage,
    /// The usage told is ten times what was used.
    WrongUsage,
    /// JSON was asked for and prose is given.
    Prose,
    /// A plan whose tasks wait for each other.
    Cyclic,
    /// A plan that names parents which do not exist.
    Dangling,
    /// A plan of five hundred tasks.
    Flood,
}

/// When a fault happens. Absent conditions hold always.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// What goes wrong.
    pub fault: Fault,
    /// Only at this provider.
    #[serde(default)]
    pub provider: Option<String>,
    /// Only for this organisation.
    #[serde(default)]
    pub organisation: Option<String>,
    /// Only for this model.
    #[serde(default)]
    pub model: Option<String>,
    /// Only for this kind of task; `chat` for everything that is none.
    #[serde(default)]
    pub kind: Option<String>,
    /// Only when the conversation contains this; case does not matter.
    #[serde(default)]
    pub contains: Option<String>,
    /// Only for streamed replies, or only for whole ones.
    #[serde(default)]
    pub streamed: Option<bool>,
    /// How many of a thousand such calls.
    #[serde(default = "always")]
    pub permille: u16,
    /// So many such calls pass first.
    #[serde(default)]
    pub skip: u32,
    /// At most so often.
    #[serde(default)]
    pub times: Option<u32>,
    /// At most so often for one conversation.
    #[serde(default)]
    pub each: Option<u32>,
    /// Where in the reply it happens, for faults in mid-reply.
    #[serde(default = "half")]
    pub after_percent: u8,
    /// How many times slower.
    #[serde(default = "five")]
    pub factor: u32,
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// The provider's name.
    pub provider: &'a str,
    /// The organisation's id.
    pub organisation: &'a str,
    /// The model.
    pub model: &'a str,
    /// The kind of task.
    pub kind: &'a str,
    /// The conversation.
    pub text: &'a str,
    /// Its hash.
    pub content: u64,
    /// Whether the reply is streamed.
    pub streamed: bool,
}

/// The fault of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planted {
    /// What goes wrong.
    pub fault: Fault,
    /// Where in the reply.
    pub after_percent: u8,
    /// How many times slower.
    pub factor: u32,
}

/// The rules with what they did so far.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    seed: u64,
    rules: Vec<Counter>,
}

#[derive(Debug, Clone)]
struct Counter {
    rule: FaultRule,
    met: u32,
    fired: u32,
    met_by_content: BTreeMap<u64, u32>,
    fired_by_content: BTreeMap<u64, u32>,
}

impl FaultRule {
    /// This fault, every time.
    pub const fn always(fault: Fault) -> Self {
        Self {
            fault,
            provider: None,
            organisation: None,
            model: None,
            kind: None,
            contains: None,
            streamed: None,
            permille: always(),
            skip: 0,
            times: None,
            each: None,
            after_percent: half(),
            factor: five(),
        }
    }

    fn fits(&self, occasion: &Occasion<'_>) -> bool {
        let same = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        same(&self.provider, occasion.provider)
            && same(&self.organisation, occasion.organisation)
            && same(&self.model, occasion.model)
            && same(&self.kind, occasion.kind)
            && self
                .streamed
                .is_none_or(|streamed| streamed == occasion.streamed)
            && self
                .contains
                .as_ref()
                .is_none_or(|text| occasion.text.to_lowercase().contains(&text.to_lowercase()))
    }

    const fn planted(&self) -> Planted {
        Planted {
            fault: self.fault,
            after_percent: self.after_percent,
            factor: self.factor,
        }
    }
}

impl Faults {
    /// Rules that have done nothing yet.
    pub fn new(seed: u64, rules: Vec<FaultRule>) -> Self {
        let rules = rules
            .into_iter()
            .map(|rule| Counter {
                rule,
                met: 0,
                fired: 0,
                met_by_content: BTreeMap::new(),
                fired_by_content: BTreeMap::new(),
            })
            .collect();
        Self { seed, rules }
    }

    /// The fault of this call, by the first rule that strikes.
    pub fn draw(&mut self, occasion: &Occasion<'_>) -> Option<Planted> {
        let seed = self.seed;
        self.rules
            .iter_mut()
            .zip(0_u64..)
            .find_map(|(counter, place)| counter.strikes(occasion, seed, place))
    }
}

impl Counter {
    fn strikes(&mut self, occasion: &Occasion<'_>, seed: u64, place: u64) -> Option<Planted> {
        if !self.rule.fits(occasion) {
            return None;
        }
        self.met += 1;
        let seen = self.met_by_content.entry(occasion.content).or_default();
        *seen += 1;
        let chance = Hash::new(seed)
            .with(place)
            .with(occasion.content)
            .with(u64::from(*seen))
            .value()
            % 1000;
        let fired_here = self.fired_by_content.entry(occasion.content).or_default();
        let struck = self.met > self.rule.skip
            && self.rule.times.is_none_or(|times| self.fired < times)
            && self.rule.each.is_none_or(|each| *fired_here < each)
            && chance < u64::from(self.rule.permille);
        if !struck {
            return None;
        }
        *fired_here += 1;
        self.fired += 1;
        Some(self.rule.planted())
    }
}

/// The fault named by a marker `[[sim:cut]]` in a text, or by the value of the header `x-sim-fault`.
pub fn requested(text: &str, header: Option<&str>) -> Option<Planted> {
    let marked = || {
        text.split_once("[[sim:")
            .and_then(|(_, rest)| rest.split_once("]]"))
            .map(|(name, _)| name)
    };
    let fault: Fault = serde_json::from_value(header.or_else(marked)?.trim().into()).ok()?;
    Some(FaultRule::always(fault).planted())
}

const fn always() -> u16 {
    1000
}

const fn half() -> u8 {
    50
}

const fn five() -> u32 {
    5
}
