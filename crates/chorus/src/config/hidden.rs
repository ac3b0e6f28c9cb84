//! Values that must not be shown: passwords, keys, URLs that may hold one.

use serde::Deserialize;

/// Secret text: `Debug` hides it, and only [`expose`](Self::expose) returns it.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Hidden(String);

impl Hidden {
    /// The text, for the one place that needs it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A URL as it may be shown: scheme, host, port and path, nothing of users, passwords and parameters.
    pub(crate) fn url(&self) -> String {
        let bare = self.0.split(['?', '#']).next().unwrap_or_default();
        let Some((scheme, rest)) = bare.split_once("://") else {
            return "…".to_owned();
        };
        // A password may hold a slash, so what comes before the last @ is never shown.
        let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
        format!("{scheme}://{place}")
    }
}

impl From<&str> for Hidden {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { "…" })
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Hidden;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text in quotes")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Hidden, E> {
                Ok(Hidden(text.to_owned()))
            }

            // A number may be a password that lacks its quotes, so it is not repeated.
            fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Hidden, E> {
                Err(E::custom("found a number, expected a text in quotes"))
            }

            fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Hidden, E> {
                Err(E::custom("found a number, expected a text in quotes"))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_it_hides() {
        for (url, shown) in [
            (
                "postgres://chorus:s3cret@db.example:5432/chorus?sslmode=require",
                "postgres://db.example:5432/chorus",
            ),
            ("postgres://chorus:a/b@c@db/chorus", "postgres://db/chorus"),
            (
                "redis://:s3cret@127.0.0.1:6379/0",
                "redis://127.0.0.1:6379/0",
            ),
            (
                "postgres://db/chorus?user=me&password=s3cret",
                "postgres://db/chorus",
            ),
            ("s3cret", "…"),
        ] {
            assert_eq!(Hidden::from(url).url(), shown);
        }
    }

    #[test]
    fn nothing_of_it_is_in_its_debug_form() {
        assert_eq!(
            format!("{:?} {:?}", Hidden::from("s3cret"), Hidden::default()),
            "… none"
        );
    }
}
