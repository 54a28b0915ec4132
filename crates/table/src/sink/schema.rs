//! The table's schema as Parquet has it, from the table of columns.

use std::sync::{Arc, LazyLock};

use parquet::basic::{ConvertedType, LogicalType, Repetition, TimeUnit, Type as PhysicalType};
use parquet::errors::Result;
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor, Type, TypePtr};

use crate::columns::schema::{COLUMNS, ColumnType, RESOURCE};

/// The schema, made once.
pub(crate) fn parquet() -> &'static SchemaDescPtr {
    static SCHEMA: LazyLock<SchemaDescPtr> = LazyLock::new(|| {
        let schema = message().expect("the table of columns makes a schema that Parquet allows");
        Arc::new(SchemaDescriptor::new(schema))
    });
    &SCHEMA
}

fn message() -> Result<TypePtr> {
    let fields: Result<Vec<TypePtr>> =
        COLUMNS.iter().map(|column| field(column.name, column.holds()).map(Arc::new)).collect();
    Type::group_type_builder("trailproof").with_fields(fields?).build().map(Arc::new)
}

fn field(name: &str, holds: ColumnType) -> Result<Type> {
    let optional = |physical| Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
    match holds {
        // JSON is text to every engine; few know Parquet's own JSON type.
        ColumnType::Text | ColumnType::Json => text(name),
        ColumnType::Bytes => optional(PhysicalType::BYTE_ARRAY).build(),
        ColumnType::Flag => optional(PhysicalType::BOOLEAN).build(),
        ColumnType::Number => optional(PhysicalType::INT64).build(),
        ColumnType::Time => optional(PhysicalType::INT64)
            .with_logical_type(Some(LogicalType::timestamp(true, TimeUnit::MILLIS)))
            .with_converted_type(ConvertedType::TIMESTAMP_MILLIS)
            .build(),
        ColumnType::Resources => {
            let members: Result<Vec<TypePtr>> = RESOURCE.iter().map(|member| text(member.name).map(Arc::new)).collect();
            let element = Type::group_type_builder("element")
                .with_repetition(Repetition::OPTIONAL)
                .with_fields(members?)
                .build()?;
            let list = Type::group_type_builder("list")
                .with_repetition(Repetition::REPEATED)
                .with_fields(vec![Arc::new(element)])
                .build()?;
            Type::group_type_builder(name)
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(Some(LogicalType::List))
                .with_converted_type(ConvertedType::LIST)
                .with_fields(vec![Arc::new(list)])
                .build()
        }
    }
}

fn text(name: &str) -> Result<Type> {
    Type::primitive_type_builder(name, PhysicalType::BYTE_ARRAY)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(Some(LogicalType::String))
        .with_converted_type(ConvertedType::UTF8)
        .build()
}
