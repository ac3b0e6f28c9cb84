//! Names of enum variants, as JSON writes them.

/// Name of an enum's variant as it is written in JSON.
pub(super) fn json_name<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        other => format!("{other:?}"),
    }
}
