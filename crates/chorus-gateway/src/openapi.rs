//! The specification of the API in OpenAPI 3.1.
//!
//! `openapi.json` is written by hand; tests compare it with the table of [routes](crate::routes) and
//! the table of [error codes](crate::error_code).

use serde_json::Value;

/// Text of the document.
const DOCUMENT: &str = include_str!("../openapi.json");

/// The document as a JSON value.
pub(crate) fn document() -> Value {
    serde_json::from_str(DOCUMENT).expect("the document is a constant, read by a test")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::error_code;
    use crate::routes;

    #[test]
    fn every_route_is_specified_and_nothing_else() {
        let routes = routes::authenticated().into_iter().chain(routes::open());
        let routes: BTreeSet<(String, String)> = routes
            .map(|(method, path, _)| (path.replace("{*", "{"), method.to_owned()))
            .collect();
        let document = document();
        let paths = document["paths"].as_object().expect("paths").iter();
        let specified: BTreeSet<(String, String)> = paths
            .flat_map(|(path, item)| {
                let methods = item
                    .as_object()
                    .expect("methods")
                    .keys()
                    .filter(|key| *key != "parameters");
                methods
                    .map(|method| (path.clone(), method.clone()))
                    .collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(routes, specified);
    }

    #[test]
    fn every_code_is_specified_with_its_status() {
        let document = document();
        let code = &document["components"]["schemas"]["Problem"]["properties"]["code"];
        let specified: BTreeSet<(&str, u64)> = code["x-codes"]
            .as_object()
            .expect("codes")
            .iter()
            .map(|(code, status)| (code.as_str(), status.as_u64().expect("a status")))
            .collect();
        let known: BTreeSet<(&str, u64)> = error_code::TABLE
            .iter()
            .map(|row| (row.name, u64::from(row.status.as_u16())))
            .collect();
        assert_eq!(specified, known);
        let listed: BTreeSet<&str> = code["enum"]
            .as_array()
            .expect("names")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        assert_eq!(listed, known.into_iter().map(|(name, _)| name).collect());
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_path_parameter_is_specified() {
        fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
            match value {
                Value::Object(object) => {
                    found.extend(object.get("$ref").and_then(Value::as_str));
                    object.values().for_each(|value| references(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 20);
        for reference in found {
            let place = reference.strip_prefix('#').expect("references stay inside");
            assert!(document.pointer(place).is_some(), "{reference}");
        }
        for (path, item) in document["paths"].as_object().expect("paths") {
            let named = path.matches('{').count();
            let specified = item["parameters"].as_array().map_or(0, Vec::len);
            assert_eq!(named, specified, "{path}");
        }
    }
}
