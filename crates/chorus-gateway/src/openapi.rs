//! The specification of the API in OpenAPI 3.1, written by hand and held against the routes and codes by tests.

use serde_json::Value;

/// The document, as it is served.
const DOCUMENT: &str = include_str!("../openapi.json");

/// The document as a value.
pub(crate) fn document() -> Value {
    serde_json::from_str(DOCUMENT).expect("the document is a constant, read by a test")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::fault::Code;
    use crate::routes;

    #[test]
    fn every_route_is_specified_and_nothing_else() {
        let routes = routes::keyed().into_iter().chain(routes::open());
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
        let told = document["components"]["schemas"]["Problem"]["properties"]["code"]["x-codes"]
            .as_object()
            .expect("codes");
        let told: BTreeSet<(String, u64)> = told
            .iter()
            .map(|(code, status)| (code.clone(), status.as_u64().expect("a status")))
            .collect();
        let known: BTreeSet<(String, u64)> = Code::ALL
            .into_iter()
            .map(Code::row)
            .map(|(word, status, _)| (word.to_owned(), u64::from(status.as_u16())))
            .collect();
        assert_eq!(told, known);
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_path_parameter_is_told() {
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
            let told = item["parameters"].as_array().map_or(0, Vec::len);
            assert_eq!(named, told, "{path}");
        }
    }
}
