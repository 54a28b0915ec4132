//! The view: AWS's own column names and nesting over the table, so that published CloudTrail queries run as they are.
//!
//! The columns are those of the Athena guide's table, in its order, then what its partitions are called there, then
//! `event_date` and `integrity`, which are this program's. Which column of the table a name stands for is said in
//! [`COLUMNS`]. A struct is never null itself, only its members are: engines can then read the columns of the members that a
//! query names, and no others.

use super::{Engine, Request};
use crate::columns::schema::{COLUMNS, Column, ColumnType, Fill, RESOURCE};
use crate::sink::Partitioning;

/// What stands under a name of AWS's table.
enum Shape {
    /// The column that has the name, or the partition.
    Whole,
    /// A struct.
    Struct(&'static [(&'static str, Self)]),
    /// A struct of members of the JSON column that has the name; each with its key in the JSON.
    OfJson(&'static [(&'static str, &'static str)]),
    /// A member that no column holds, by its path in a record.
    Extra(&'static str),
    /// The same for a member that is an object.
    ExtraObject(&'static str),
    /// A part of `event_date`: first character, length.
    DatePart(u8, u8),
    /// `event_date` with `/`.
    DatePath,
}

use Shape::{DatePart, DatePath, Extra, ExtraObject, OfJson, Struct, Whole};

const VIEW: &[(&str, Shape)] = &[
    ("eventversion", Whole),
    ("useridentity", Struct(USER_IDENTITY)),
    ("eventtime", Whole),
    ("eventsource", Whole),
    ("eventname", Whole),
    ("awsregion", Whole),
    ("sourceipaddress", Whole),
    ("useragent", Whole),
    ("errorcode", Whole),
    ("errormessage", Whole),
    ("requestparameters", Whole),
    ("responseelements", Whole),
    ("additionaleventdata", Whole),
    ("requestid", Whole),
    ("eventid", Whole),
    ("resources", Whole),
    ("eventtype", Whole),
    ("apiversion", Whole),
    ("readonly", Whole),
    ("recipientaccountid", Whole),
    ("serviceeventdetails", Whole),
    ("sharedeventid", Whole),
    ("vpcendpointid", Whole),
    ("vpcendpointaccountid", Whole),
    ("eventcategory", Whole),
    (
        "addendum",
        OfJson(&[
            ("reason", "reason"),
            ("updatedfields", "updatedFields"),
            ("originalrequestid", "originalRequestID"),
            ("originaleventid", "originalEventID"),
        ]),
    ),
    ("sessioncredentialfromconsole", Whole),
    ("edgedevicedetails", Whole),
    ("tlsdetails", Struct(&[("tlsversion", Whole), ("ciphersuite", Whole), ("clientprovidedhostheader", Whole)])),
    ("account", Whole),
    ("region", Whole),
    ("year", DatePart(1, 4)),
    ("month", DatePart(6, 2)),
    ("day", DatePart(9, 2)),
    ("timestamp", DatePath),
    ("event_date", Whole),
    ("integrity", Whole),
];

const USER_IDENTITY: &[(&str, Shape)] = &[
    ("type", Whole),
    ("principalid", Whole),
    ("arn", Whole),
    ("accountid", Whole),
    ("invokedby", Whole),
    ("accesskeyid", Whole),
    ("username", Whole),
    ("onbehalfof", Struct(&[("userid", Whole), ("identitystorearn", Whole)])),
    ("sessioncontext", Struct(SESSION_CONTEXT)),
];

const SESSION_CONTEXT: &[(&str, Shape)] = &[
    ("attributes", Struct(&[("mfaauthenticated", Whole), ("creationdate", Whole)])),
    (
        "sessionissuer",
        Struct(&[("type", Whole), ("principalid", Whole), ("arn", Whole), ("accountid", Whole), ("username", Whole)]),
    ),
    ("ec2roledelivery", Extra("userIdentity.sessionContext.ec2RoleDelivery")),
    (
        "webidfederationdata",
        Struct(&[
            ("federatedprovider", Whole),
            ("attributes", ExtraObject("userIdentity.sessionContext.webIdFederationData.attributes")),
        ]),
    ),
];

/// The statement that makes the view.
pub(super) fn statement(request: &Request) -> String {
    let engine = request.engine;
    let writer = Writer { engine, partitioning: request.partitioning };
    let columns: Vec<String> = VIEW
        .iter()
        .map(|(name, shape)| format!("  {} AS {}", writer.value(name, shape, 1), engine.quoted(name)))
        .collect();
    let create = match engine {
        Engine::Athena | Engine::DuckDb => "CREATE VIEW",
        Engine::Spark => "CREATE TEMPORARY VIEW",
    };
    format!(
        "-- The same rows under AWS's own names, for queries that were written for AWS's table of CloudTrail logs.\n\
         {create} {} AS\nSELECT\n{}\nFROM {};\n",
        engine.quoted(&request.view),
        columns.join(",\n"),
        engine.quoted(&request.table),
    )
}

struct Writer {
    engine: Engine,
    partitioning: Partitioning,
}

/// The column that has a name in AWS's table.
fn named(path: &str) -> &'static Column {
    COLUMNS.iter().find(|column| column.aws == Some(path)).expect("a test looks every name up")
}

/// The column of what no other column holds.
fn extra() -> &'static Column {
    COLUMNS.iter().find(|column| column.fill == Fill::Extra).expect("the table has such a column")
}

impl Writer {
    /// What stands under a name; `path` is the name behind those of the structs around it.
    fn value(&self, path: &str, shape: &Shape, depth: usize) -> String {
        let engine = self.engine;
        match shape {
            Whole if self.partitioning.keys().contains(&path) => engine.quoted(path),
            Whole => self.whole(named(path)),
            Struct(members) => {
                let values = members.iter().map(|(name, shape)| {
                    let value = self.value(&format!("{path}.{name}"), shape, depth + 1);
                    (*name, value)
                });
                self.structure(values.collect(), &self.types(members), depth)
            }
            OfJson(members) => {
                let json = engine.quoted(named(path).name);
                let values = members.iter().map(|(name, key)| (*name, engine.member(&json, key)));
                self.structure(values.collect(), &self.texts(members.iter().map(|(name, _)| *name)), depth)
            }
            Extra(path) => engine.member(&engine.quoted(extra().name), path),
            ExtraObject(path) => engine.members(&engine.quoted(extra().name), path),
            DatePart(from, length) => format!("substr({}, {from}, {length})", engine.quoted("event_date")),
            DatePath => format!("replace({}, '-', '/')", engine.quoted("event_date")),
        }
    }

    /// A column's values as AWS types them.
    fn whole(&self, column: &Column) -> String {
        let engine = self.engine;
        let quoted = engine.quoted(column.name);
        match column.holds() {
            ColumnType::Text | ColumnType::Bytes | ColumnType::Number => quoted,
            ColumnType::Flag => format!("CAST({quoted} AS {})", engine.text_type()),
            ColumnType::Time => engine.time_text(&quoted),
            // Null where the source said null.
            ColumnType::Json => format!("nullif({quoted}, 'null')"),
            ColumnType::Resources => {
                let members = RESOURCE.iter().filter_map(|member| Some((member.aws?, member.name)));
                let values: Vec<(&str, String)> =
                    members.map(|(aws, name)| (aws, format!("r.{}", engine.quoted(name)))).collect();
                let types = self.texts(values.iter().map(|(name, _)| *name));
                engine.each(&quoted, &self.packed(&values, &types, " ", ""))
            }
        }
    }

    fn structure(&self, values: Vec<(&str, String)>, types: &str, depth: usize) -> String {
        let between = format!("\n{}", "  ".repeat(depth + 1));
        let after = format!("\n{}", "  ".repeat(depth));
        // Athena casts the outermost row, with the rows in it.
        if self.engine == Engine::Athena && depth > 1 {
            let values: Vec<String> = values.into_iter().map(|(_, value)| value).collect();
            return format!("ROW({between}{}{after})", values.join(&format!(",{between}")));
        }
        self.packed(&values, types, &between, &after)
    }

    /// A struct of values: `between` stands before each, `after` after the last.
    fn packed(&self, values: &[(&str, String)], types: &str, between: &str, after: &str) -> String {
        let list = |pair: &dyn Fn(&str, &str) -> String| {
            let pairs: Vec<String> = values.iter().map(|(name, value)| pair(name, value)).collect();
            pairs.join(&format!(",{between}"))
        };
        let first = if after.is_empty() { "" } else { between };
        match self.engine {
            Engine::Athena => {
                format!("CAST(ROW({first}{}{after}) AS ROW({types}))", list(&|_, value| value.to_owned()))
            }
            Engine::DuckDb => format!("{{{first}{}{after}}}", list(&|name, value| format!("'{name}': {value}"))),
            Engine::Spark => {
                format!("named_struct({first}{}{after})", list(&|name, value| format!("'{name}', {value}")))
            }
        }
    }

    /// The members' names and types, as Athena's casts take them.
    fn types(&self, members: &[(&'static str, Shape)]) -> String {
        let typed = members.iter().map(|(name, shape)| match shape {
            Struct(inner) => format!("{name} ROW({})", self.types(inner)),
            OfJson(inner) => format!("{name} ROW({})", self.texts(inner.iter().map(|(name, _)| *name))),
            ExtraObject(_) => format!("{name} {}", self.engine.map_type()),
            Whole | Extra(_) | DatePart(..) | DatePath => format!("{name} {}", self.engine.text_type()),
        });
        typed.collect::<Vec<_>>().join(", ")
    }

    /// The same for members that are texts.
    fn texts<'n>(&self, names: impl Iterator<Item = &'n str>) -> String {
        let typed = names.map(|name| format!("{name} {}", self.engine.text_type()));
        typed.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The names that stand for a column or a partition.
    fn whole(path: &str, shape: &Shape, into: &mut BTreeSet<String>) {
        match shape {
            Whole | OfJson(_) => _ = into.insert(path.to_owned()),
            Struct(members) => members.iter().for_each(|(name, shape)| whole(&format!("{path}.{name}"), shape, into)),
            Extra(_) | ExtraObject(_) | DatePart(..) | DatePath => {}
        }
    }

    #[test]
    fn every_name_of_the_view_is_a_columns_and_every_columns_name_is_in_the_view() {
        let mut names = BTreeSet::new();
        VIEW.iter().for_each(|(name, shape)| whole(name, shape, &mut names));
        assert!(names.remove("event_date"), "the partition of every table");
        let known: BTreeSet<String> = COLUMNS.iter().filter_map(|column| column.aws).map(str::to_owned).collect();
        assert_eq!(names, known);
    }
}
