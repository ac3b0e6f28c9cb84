//! Faults on request: by rule, by a marker in the prompt, by a header.
//!
//! A draw is a function of the seed, the rule, the conversation and the number of earlier calls
//! with that conversation, so equal calls meet equal faults in any order of arrival.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::hash::Hash;

/// [`CallFacts::kind`] of a request for the list of models.
pub const MODELS: &str = "models";

/// Kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// 429 for a rate limit.
    RateLimit,
    /// The provider has no capacity (529 at Anthropic, 503 elsewhere).
    Overloaded,
    /// Status 500.
    ServerError,
    /// Status 401.
    DeadKey,
    /// 402, or OpenAI's 429 `insufficient_quota`.
    Unpaid,
    /// The customer's own spend limit is reached.
    Capped,
    /// The call takes `factor` times as long.
    Slow,
    /// The reply stops in the middle and never ends.
    Hang,
    /// The connection breaks in the middle of the reply.
    Cut,
    /// The stream ends with an error event.
    Die,
    /// The reply is empty.
    Empty,
    /// The model refuses.
    Refusal,
    /// The reply ends early, as if it had reached its token limit.
    Length,
    /// The body is not JSON.
    Garbage,
    /// The reported usage is ten times the real one.
    WrongUsage,
    /// The reply is prose where JSON was requested.
    Prose,
    /// A plan with a cycle.
    Cyclic,
    /// A plan with parents that do not exist.
    Dangling,
    /// A plan with five hundred tasks.
    Flood,
    /// Status 403: the account may not use the model.
    Forbidden,
    /// The model does not exist: 404 where the provider answers so.
    NotFound,
    /// A web page with status 200, as a wrong address or a captive portal answers.
    Page,
    /// A web page with status 403, as a firewall answers.
    PageForbidden,
    /// A web page with status 502, as a proxy answers.
    PageFailed,
    /// Status 308 to another host.
    Redirect,
    /// 429 without any wait.
    RateLimitUntold,
    /// 429 with a wait in the body alone, as a time in milliseconds.
    WaitInBody,
    /// 429 with a wait in the message alone, in the form `1m26.4s`.
    WaitInText,
    /// Status 200 with an error in an envelope: `{"code":429,"msg":…}`.
    Enveloped,
    /// Status 200 with `"error": ""` and nothing else.
    EmptyError,
    /// The stream ends with an event that reports spent credit.
    ErrorEvent,
    /// One JSON completion under the header of a stream.
    JsonAsStream,
    /// [`Fault::JsonAsStream`] with `data: [DONE]` behind it.
    JsonWithDone,
    /// One JSON completion without a content type.
    Untyped,
    /// A compressed reply to a request that did not ask for one.
    Gzip,
    /// A stream without any event.
    EmptyStream,
    /// One unreadable chunk among good ones.
    UnreadableChunk,
    /// Half a reply that ends with a reason of no known provider.
    UnknownFinish,
    /// Half a reply that ends with another provider's name for the token limit.
    ForeignLength,
    /// The connection closes inside the last event, after the reason of the end.
    WithoutDone,
    /// The reported usage is zero.
    ZeroUsage,
    /// The whole answer stands in the thoughts; for dialects that show thoughts.
    OnlyThoughts,
}

/// Rule that injects a [`Fault`]. Absent conditions always hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Fault to inject.
    pub fault: Fault,
    /// Provider to which the rule is limited.
    #[serde(default)]
    pub provider: Option<String>,
    /// Organisation to which the rule is limited.
    #[serde(default)]
    pub organisation: Option<String>,
    /// Model to which the rule is limited.
    #[serde(default)]
    pub model: Option<String>,
    /// Kind of task to which the rule is limited; `chat` for calls that are no task, `models` for
    /// the list of models, which meets no other rule.
    #[serde(default)]
    pub kind: Option<String>,
    /// Text that the conversation must contain, ignoring case.
    #[serde(default)]
    pub contains: Option<String>,
    /// True for streamed replies only, false for whole ones only.
    #[serde(default)]
    pub streamed: Option<bool>,
    /// Share of matching calls, in 1,000.
    #[serde(default = "always")]
    pub permille: u16,
    /// Number of matching calls that pass first.
    #[serde(default)]
    pub skip: u32,
    /// Maximum number of faults of this rule.
    #[serde(default)]
    pub times: Option<u32>,
    /// Maximum number of faults for one conversation.
    #[serde(default)]
    pub each: Option<u32>,
    /// Position of the fault in the reply, in per cent.
    #[serde(default = "half")]
    pub after_percent: u8,
    /// Factor of [`Fault::Slow`].
    #[serde(default = "five")]
    pub factor: u32,
    /// Start of the rule, in milliseconds of provider time after the first request.
    #[serde(default)]
    pub from_ms: Option<u64>,
    /// End of the rule, in milliseconds of provider time after the first request.
    #[serde(default)]
    pub until_ms: Option<u64>,
}

/// Properties of a call that a [`FaultRule`] matches.
#[derive(Debug, Clone, Copy)]
pub struct CallFacts<'a> {
    /// Name of the provider.
    pub provider: &'a str,
    /// Id of the organisation.
    pub organisation: &'a str,
    /// Name of the model.
    pub model: &'a str,
    /// Kind of task.
    pub kind: &'a str,
    /// Text of the conversation.
    pub text: &'a str,
    /// Hash of the conversation.
    pub content: u64,
    /// True if the reply is streamed.
    pub streamed: bool,
    /// Milliseconds of provider time since the first request.
    pub at_ms: u64,
}

/// [`Fault`] of one call with its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InjectedFault {
    /// Kind of the fault.
    pub fault: Fault,
    /// Position in the reply, in per cent.
    pub after_percent: u8,
    /// Factor of [`Fault::Slow`].
    pub factor: u32,
}

/// [`FaultRule`]s with the number of times that each applied.
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
    /// Rule that injects this fault into every call.
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
            from_ms: None,
            until_ms: None,
        }
    }

    fn fits(&self, facts: &CallFacts<'_>) -> bool {
        let same = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        same(&self.provider, facts.provider)
            && same(&self.organisation, facts.organisation)
            && same(&self.model, facts.model)
            && same(&self.kind, facts.kind)
            && (facts.kind != MODELS || self.kind.is_some())
            && self.from_ms.is_none_or(|from| facts.at_ms >= from)
            && self.until_ms.is_none_or(|until| facts.at_ms < until)
            && self
                .streamed
                .is_none_or(|streamed| streamed == facts.streamed)
            && self
                .contains
                .as_ref()
                .is_none_or(|text| facts.text.to_lowercase().contains(&text.to_lowercase()))
    }

    const fn injected(&self) -> InjectedFault {
        InjectedFault {
            fault: self.fault,
            after_percent: self.after_percent,
            factor: self.factor,
        }
    }
}

impl Faults {
    /// Creates the state of unused rules.
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

    /// Returns the fault of a call: that of the first rule that applies.
    pub fn draw(&mut self, facts: &CallFacts<'_>) -> Option<InjectedFault> {
        let seed = self.seed;
        self.rules
            .iter_mut()
            .zip(0_u64..)
            .find_map(|(counter, index)| counter.applies(facts, seed, index))
    }
}

impl Counter {
    fn applies(&mut self, facts: &CallFacts<'_>, seed: u64, index: u64) -> Option<InjectedFault> {
        if !self.rule.fits(facts) {
            return None;
        }
        self.met += 1;
        let seen = self.met_by_content.entry(facts.content).or_default();
        *seen += 1;
        let chance = Hash::new(seed)
            .with(index)
            .with(facts.content)
            .with(u64::from(*seen))
            .value()
            % 1000;
        let fired_here = self.fired_by_content.entry(facts.content).or_default();
        let struck = self.met > self.rule.skip
            && self.rule.times.is_none_or(|times| self.fired < times)
            && self.rule.each.is_none_or(|each| *fired_here < each)
            && chance < u64::from(self.rule.permille);
        if !struck {
            return None;
        }
        *fired_here += 1;
        self.fired += 1;
        Some(self.rule.injected())
    }
}

/// Fault named by a marker `[[sim:cut]]` in a text, or by the header `x-sim-fault`.
pub fn requested(text: &str, header: Option<&str>) -> Option<InjectedFault> {
    let marked = || {
        text.split_once("[[sim:")
            .and_then(|(_, rest)| rest.split_once("]]"))
            .map(|(name, _)| name)
    };
    let fault: Fault = serde_json::from_value(header.or_else(marked)?.trim().into()).ok()?;
    Some(FaultRule::always(fault).injected())
}

/// Fault with this name, as a journal entry holds it.
pub(super) fn named(name: Option<&str>) -> Option<Fault> {
    serde_json::from_value(name?.into()).ok()
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
