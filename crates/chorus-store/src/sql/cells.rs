//! Columns of a row as values; errors name table, row and column.

use std::fmt::Display;
use std::str::FromStr;

use chorus_core::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::fault::Fault;

/// One row, with the names for errors about it.
pub(crate) struct Cells<'r> {
    table: &'static str,
    key: &'static str,
    row: &'r AnyRow,
}

impl<'r> Cells<'r> {
    /// A row of this table; errors name it by its column `key`.
    pub(crate) const fn new(table: &'static str, key: &'static str, row: &'r AnyRow) -> Self {
        Self { table, key, row }
    }

    pub(crate) fn text(&self, column: &'static str) -> Result<String, Fault> {
        self.row
            .try_get(column)
            .map_err(|why| self.unreadable(column, &why))
    }

    pub(crate) fn number(&self, column: &'static str) -> Result<i64, Fault> {
        self.row
            .try_get(column)
            .map_err(|why| self.unreadable(column, &why))
    }

    pub(crate) fn flag(&self, column: &'static str) -> Result<bool, Fault> {
        Ok(self.number(column)? != 0)
    }

    /// A number that fits the type, so never negative for unsigned ones.
    pub(crate) fn count<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T, Fault> {
        let number = self.number(column)?;
        T::try_from(number)
            .map_err(|_| self.unreadable(column, &format!("{number} is out of range")))
    }

    pub(crate) fn time(&self, column: &'static str) -> Result<Timestamp, Fault> {
        self.number(column).map(Timestamp)
    }

    pub(crate) fn time_or_none(&self, column: &'static str) -> Result<Option<Timestamp>, Fault> {
        let number: Option<i64> = self
            .row
            .try_get(column)
            .map_err(|why| self.unreadable(column, &why))?;
        Ok(number.map(Timestamp))
    }

    pub(crate) fn text_or_none(&self, column: &'static str) -> Result<Option<String>, Fault> {
        self.row
            .try_get(column)
            .map_err(|why| self.unreadable(column, &why))
    }

    /// An id or a hash.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(
        &self,
        column: &'static str,
    ) -> Result<T, Fault> {
        self.text(column)?
            .parse()
            .map_err(|why| self.unreadable(column, &why))
    }

    pub(crate) fn parsed_or_none<T: FromStr<Err: Display>>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, Fault> {
        let text = self.text_or_none(column)?;
        text.map(|text| text.parse().map_err(|why| self.unreadable(column, &why)))
            .transpose()
    }

    pub(crate) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, Fault> {
        serde_json::from_str(&self.text(column)?).map_err(|why| self.unreadable(column, &why))
    }

    pub(crate) fn json_or_none<T: DeserializeOwned>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, Fault> {
        let text = self.text_or_none(column)?;
        text.map(|text| serde_json::from_str(&text).map_err(|why| self.unreadable(column, &why)))
            .transpose()
    }

    /// An enum without fields, stored as text.
    pub(crate) fn enum_text<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, Fault> {
        let text = serde_json::Value::String(self.text(column)?);
        serde_json::from_value(text).map_err(|why| self.unreadable(column, &why))
    }

    pub(crate) fn unreadable(&self, column: &str, why: &dyn Display) -> Fault {
        let row: String = self
            .row
            .try_get(self.key)
            .unwrap_or_else(|_| "?".to_owned());
        Fault::unreadable(self.table, &row, column, why)
    }
}

/// A value as JSON text.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value)
        .map_err(|why| Fault::broken(format!("a value cannot be written as JSON: {why}")))
}

/// Text of an enum without fields.
pub(crate) fn enum_text<T: Serialize>(value: &T) -> Result<String, Fault> {
    Ok(json(value)?.trim_matches('"').to_owned())
}

/// A count in the signed type of the databases.
pub(crate) fn stored<T: TryInto<i64>>(count: T) -> Result<i64, Fault> {
    count
        .try_into()
        .map_err(|_| Fault::broken("a count is too large to be stored"))
}
