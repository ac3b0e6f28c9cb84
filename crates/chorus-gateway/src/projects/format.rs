//! Choice between JSON and the other format of a resource, by `?format=` or `Accept`.

use http::{HeaderMap, header};

use crate::api_error::ApiError;
use crate::query::Query;

/// A format other than JSON.
pub(super) struct Format {
    /// Value of the parameter `format`.
    pub(super) name: &'static str,
    /// Media type in `Accept`.
    pub(super) media_type: &'static str,
}

impl Format {
    /// Returns true if the request asks for this format. The parameter counts before the header.
    pub(super) fn is_requested(
        &self,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<bool, ApiError> {
        let query = Query::read(query, &["format"])?;
        Ok(match query.choice("format", &["json", self.name])? {
            Some(format) => format == self.name,
            None => self.is_preferred(headers),
        })
    }

    /// Returns true if `Accept` names this format before JSON and wildcards.
    fn is_preferred(&self, headers: &HeaderMap) -> bool {
        let accepted = headers
            .get(header::ACCEPT)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let mut names = accepted
            .split(',')
            .map(|one| one.split(';').next().unwrap_or_default().trim());
        let known = [self.media_type, "application/json", "*/*", "application/*"];
        names.find(|name| known.contains(name)) == Some(self.media_type)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const ZIP: Format = Format {
        name: "zip",
        media_type: "application/zip",
    };

    fn accept(value: &'static str) -> HeaderMap {
        [(header::ACCEPT, HeaderValue::from_static(value))]
            .into_iter()
            .collect()
    }

    #[test]
    fn the_first_known_media_type_is_given() {
        for (value, zip) in [
            ("application/zip", true),
            ("application/json", false),
            ("application/json, application/zip", false),
            ("text/html, application/zip;q=0.9, */*;q=0.1", true),
            ("*/*", false),
            ("", false),
        ] {
            let requested = ZIP.is_requested(None, &accept(value));
            assert_eq!(requested, Ok(zip), "{value}");
        }
        assert_eq!(ZIP.is_requested(None, &HeaderMap::new()), Ok(false));
    }

    #[test]
    fn the_parameter_counts_before_the_header_and_is_checked() {
        let headers = accept("application/zip");
        assert_eq!(ZIP.is_requested(Some("format=json"), &headers), Ok(false));
        let none = HeaderMap::new();
        assert_eq!(ZIP.is_requested(Some("format=zip"), &none), Ok(true));
        assert_eq!(
            ZIP.is_requested(Some("format=html"), &none),
            Err(ApiError::field("format", "expected one of: json, zip"))
        );
        assert!(ZIP.is_requested(Some("page=1"), &none).is_err());
    }
}
