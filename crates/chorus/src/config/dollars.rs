//! Amounts of dollars in the configuration and on the command line.

use chorus_core::money::MicroUsd;
use serde::Deserialize;

/// An amount of dollars as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dollars(pub(crate) MicroUsd);

impl std::str::FromStr for Dollars {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refusal = || {
            format!("{text:?} is not an amount of dollars between 0 and 1000000, for instance 2.50")
        };
        let amount: f64 = text
            .trim()
            .trim_start_matches('$')
            .parse()
            .map_err(|_| refusal())?;
        if !(0.0..=1_000_000.0).contains(&amount) {
            return Err(refusal());
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "at most 10^12 after the check above"
        )]
        let micros = (amount * 1_000_000.0).round() as i64;
        Ok(Self(MicroUsd(micros)))
    }
}

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Amount;
        impl serde::de::Visitor<'_> for Amount {
            type Value = f64;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an amount of dollars such as 5 or 2.50")
            }

            fn visit_f64<E: serde::de::Error>(self, amount: f64) -> Result<f64, E> {
                Ok(amount)
            }

            fn visit_i64<E: serde::de::Error>(self, amount: i64) -> Result<f64, E> {
                i32::try_from(amount)
                    .map(f64::from)
                    .map_err(|_| E::custom("too large an amount"))
            }
        }
        let amount = deserializer.deserialize_any(Amount)?;
        amount.to_string().parse().map_err(serde::de::Error::custom)
    }
}
