//! What a statement returns.

use std::borrow::Cow;

use kernel::Timestamp;
use kernel::stored::{Form, NotStored, Scalar, Stored};
use rusqlite::types::ValueRef;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::DbError;

/// A row of either engine; columns are read by position, in the order of the `SELECT`.
#[derive(Debug)]
pub enum Row<'a> {
    #[doc(hidden)]
    Sqlite(&'a rusqlite::Row<'a>),
    #[doc(hidden)]
    Postgres(&'a tokio_postgres::Row),
}

impl Row<'_> {
    /// The value of column `index`.
    pub fn get<T: Stored>(&self, index: usize) -> Result<T, DbError> {
        let scalar = match self {
            Row::Sqlite(row) => sqlite_scalar(row, index, T::FORM)?,
            Row::Postgres(row) => postgres_scalar(row, index, T::FORM)?,
        };
        Ok(T::load(scalar)?)
    }
}

/// A type that a row can be read into.
pub trait FromRow: Sized {
    /// Reads the columns in order.
    fn from_row(row: &Row<'_>) -> Result<Self, DbError>;
}

/// Implements [`FromRow`] for a struct whose fields are named in the order of the columns.
///
/// ```
/// struct Tally { name: String, count: i64 }
/// platform::from_row!(Tally { name, count });
/// ```
#[macro_export]
macro_rules! from_row {
    ($name:ident { $($field:ident),+ $(,)? }) => {
        impl $crate::db::FromRow for $name {
            fn from_row(row: &$crate::db::Row<'_>) -> Result<Self, $crate::db::DbError> {
                let mut column = 0..;
                let mut next = || column.next().unwrap_or_default();
                Ok(Self { $($field: row.get(next())?),+ })
            }
        }
    };
}

macro_rules! tuples {
    ($($($name:ident $index:tt),+;)+) => {
        $(impl<$($name: Stored),+> FromRow for ($($name,)+) {
            fn from_row(row: &Row<'_>) -> Result<Self, DbError> {
                Ok(($(row.get::<$name>($index)?,)+))
            }
        })+
    };
}

tuples! {
    A 0;
    A 0, B 1;
    A 0, B 1, C 2;
    A 0, B 1, C 2, D 3;
    A 0, B 1, C 2, D 3, E 4;
    A 0, B 1, C 2, D 3, E 4, F 5;
}

fn sqlite_scalar<'a>(
    row: &'a rusqlite::Row<'_>,
    index: usize,
    form: Form,
) -> Result<Scalar<'a>, DbError> {
    let value = row
        .get_ref(index)
        .map_err(|error| DbError::sqlite("read a column", error))?;
    Ok(match (value, form) {
        (ValueRef::Null, _) => Scalar::Null,
        (ValueRef::Integer(value), Form::Bool) => Scalar::Bool(value != 0),
        (ValueRef::Integer(value), Form::Time) => Scalar::Time(Timestamp::from_micros(value)),
        (ValueRef::Integer(value), _) => Scalar::Int(value),
        (ValueRef::Text(bytes), Form::Json) => Scalar::Json(text(bytes)?),
        (ValueRef::Text(bytes), _) => Scalar::Text(text(bytes)?),
        (ValueRef::Blob(bytes), Form::Uuid) => match Uuid::from_slice(bytes) {
            Ok(uuid) => Scalar::Uuid(uuid),
            Err(_) => Scalar::Bytes(bytes.into()),
        },
        (ValueRef::Blob(bytes), _) => Scalar::Bytes(bytes.into()),
        (ValueRef::Real(value), _) => Scalar::Text(value.to_string().into()),
    })
}

/// Both engines keep UTF-8; a file may have been written by another program.
fn text(bytes: &[u8]) -> Result<Cow<'_, str>, DbError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(_) => Err(NotStored::new::<String>(&Scalar::Bytes(bytes.into())).into()),
    }
}

/// Any column of PostgreSQL, in its binary form.
struct Raw<'a>(&'a [u8]);

impl<'a> tokio_postgres::types::FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// PostgreSQL counts microseconds from 2000-01-01.
pub(super) const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

fn postgres_scalar<'a>(
    row: &'a tokio_postgres::Row,
    index: usize,
    form: Form,
) -> Result<Scalar<'a>, DbError> {
    let value: Option<Raw<'a>> = row
        .try_get(index)
        .map_err(|error| DbError::postgres("read a column", error))?;
    let Some(Raw(raw)) = value else {
        return Ok(Scalar::Null);
    };
    let int = || match raw.len() {
        2 => raw
            .try_into()
            .ok()
            .map(|raw| i64::from(i16::from_be_bytes(raw))),
        4 => raw
            .try_into()
            .ok()
            .map(|raw| i64::from(i32::from_be_bytes(raw))),
        _ => raw.try_into().ok().map(i64::from_be_bytes),
    };
    let column = &row.columns()[index];
    Ok(match (column.type_(), form) {
        (&Type::BOOL, _) => Scalar::Bool(raw == [1]),
        (&Type::INT2 | &Type::INT4 | &Type::INT8, _) => int().map_or(Scalar::Null, Scalar::Int),
        (&Type::TIMESTAMPTZ, _) => int().map_or(Scalar::Null, |micros| {
            Scalar::Time(Timestamp::from_micros(
                micros.saturating_add(POSTGRES_EPOCH_MICROS),
            ))
        }),
        (&Type::UUID, _) => Uuid::from_slice(raw).map_or(Scalar::Null, Scalar::Uuid),
        // jsonb begins with its version number.
        (&Type::JSONB, _) => Scalar::Json(text(raw.get(1..).unwrap_or(&[]))?),
        (&Type::JSON, _) | (&Type::TEXT, Form::Json) => Scalar::Json(text(raw)?),
        (&Type::TEXT | &Type::VARCHAR | &Type::NAME, _) => Scalar::Text(text(raw)?),
        _ => Scalar::Bytes(raw.into()),
    })
}
