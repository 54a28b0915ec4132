//! How each engine spells what the view needs. One `match` a thing, so that a new engine cannot be forgotten anywhere.

use std::fmt::Display;

use super::Engine;

/// A name between the quotes of standard SQL; names here hold no quotes.
pub(super) fn double_quoted(name: impl Display) -> String {
    format!("\"{name}\"")
}

impl Engine {
    /// A name as queries quote it.
    pub(super) fn quoted(self, name: impl Display) -> String {
        match self {
            Self::Athena | Self::DuckDb => double_quoted(name),
            Self::Spark => format!("`{name}`"),
        }
    }

    /// The type of texts in queries.
    pub(super) fn text_type(self) -> &'static str {
        match self {
            Self::Athena | Self::DuckDb => "varchar",
            Self::Spark => "string",
        }
    }

    /// The type of maps from text to text.
    pub(super) fn map_type(self) -> &'static str {
        match self {
            Self::Athena => "map(varchar, varchar)",
            Self::DuckDb => "MAP(VARCHAR, VARCHAR)",
            Self::Spark => "map<string, string>",
        }
    }

    /// A time as CloudTrail writes it, in UTC.
    pub(super) fn time_text(self, time: &str) -> String {
        match self {
            Self::Athena => format!("date_format({time}, '%Y-%m-%dT%H:%i:%sZ')"),
            Self::DuckDb => format!("strftime({time}, '%Y-%m-%dT%H:%M:%SZ')"),
            // Counted from 1970 without a zone: what formats a moment does it in the session's zone, which can skip an hour.
            Self::Spark => format!(
                "concat(replace(CAST(TIMESTAMP_NTZ '1970-01-01 00:00:00' + make_dt_interval(0, 0, 0, unix_seconds({time})) \
                 AS string), ' ', 'T'), 'Z')"
            ),
        }
    }

    /// A member of a JSON text, as text; null where it is absent or the text cannot be read.
    pub(super) fn member(self, json: &str, path: &str) -> String {
        match self {
            Self::Athena => format!("json_extract_scalar({json}, '$.{path}')"),
            // DuckDB ends a whole query at a text that it cannot read, such as one with half a surrogate pair.
            Self::DuckDb => format!("CASE WHEN json_valid({json}) THEN json_extract_string({json}, '$.{path}') END"),
            Self::Spark => format!("get_json_object({json}, '$.{path}')"),
        }
    }

    /// A member of a JSON text that is an object, as a map; null likewise.
    pub(super) fn members(self, json: &str, path: &str) -> String {
        let map = self.map_type();
        match self {
            Self::Athena => format!("TRY_CAST(json_extract({json}, '$.{path}') AS {map})"),
            Self::DuckDb => {
                format!("TRY_CAST(CASE WHEN json_valid({json}) THEN json_extract({json}, '$.{path}') END AS {map})")
            }
            Self::Spark => format!("from_json(get_json_object({json}, '$.{path}'), '{map}')"),
        }
    }

    /// Another list, made from each element `r` of a list.
    pub(super) fn each(self, list: &str, element: &str) -> String {
        match self {
            Self::Athena | Self::Spark => format!("transform({list}, r -> {element})"),
            Self::DuckDb => format!("[{element} for r in {list}]"),
        }
    }
}
