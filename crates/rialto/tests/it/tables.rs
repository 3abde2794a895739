//! The schemas of both engines agree: tables, columns, their forms, what may be null, primary
//! keys. Runs where a PostgreSQL server is there to compare with.

use std::collections::BTreeMap;

use platform::db::Db;
use platform::sql;
use platform::testing::TestDatabase;

use crate::sources::services;

/// Form, whether it may be null, and the place in the primary key (0 for none).
type Column = (String, bool, i64);
type Tables = BTreeMap<String, BTreeMap<String, Column>>;

async fn tables(db: &Db) -> Tables {
    let columns = sql!(
        sqlite: "SELECT t.name, c.name, c.type, c.\"notnull\" = 0 AND c.pk = 0, c.pk
                 FROM sqlite_schema t JOIN pragma_table_info(t.name) c
                 WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'",
        postgres: "SELECT c.table_name::text, c.column_name::text, c.data_type::text,
                          c.is_nullable = 'YES', COALESCE(k.ordinal_position, 0)::bigint
                   FROM information_schema.columns c
                   LEFT JOIN information_schema.table_constraints p
                     ON p.table_schema = c.table_schema AND p.table_name = c.table_name
                     AND p.constraint_type = 'PRIMARY KEY'
                   LEFT JOIN information_schema.key_column_usage k
                     ON k.constraint_schema = p.constraint_schema
                     AND k.constraint_name = p.constraint_name AND k.table_name = c.table_name
                     AND k.column_name = c.column_name
                   WHERE c.table_schema = current_schema()"
    );
    let tx = db.read().await.expect("a reader");
    let rows: Vec<(String, String, String, bool, i64)> =
        tx.all(columns, &[]).await.expect("the columns");
    let mut tables = Tables::new();
    for (table, column, form, nullable, key) in rows {
        let columns = tables.entry(table).or_default();
        columns.insert(column, (form, nullable, key));
    }
    tables
}

/// The forms of PostgreSQL that a form of SQLite may stand for.
fn counterparts(sqlite: &str) -> &'static [&'static str] {
    match sqlite {
        "BLOB" => &["uuid", "bytea"],
        "INTEGER" => &["bigint", "boolean", "timestamp with time zone"],
        "TEXT" => &["text", "json", "jsonb"],
        _ => &[],
    }
}

#[tokio::test]
async fn both_engines_have_the_same_tables() {
    let server = TestDatabase::create().await;
    if !server.is_postgres() {
        return;
    }
    let folder = TestDatabase::folder();
    for role in services() {
        let migrations = rialto::migrations(role);
        let sqlite = tables(&folder.open(role.as_str(), migrations).await).await;
        let postgres = tables(&server.open(role.as_str(), migrations).await).await;
        let names = |tables: &Tables| tables.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&sqlite), names(&postgres), "tables of {role}");
        for (table, columns) in &sqlite {
            let others = &postgres[table];
            let names: Vec<&String> = columns.keys().collect();
            assert_eq!(names, others.keys().collect::<Vec<_>>(), "{role}.{table}");
            for (column, (form, nullable, key)) in columns {
                let (other_form, other_nullable, other_key) = &others[column];
                let place = format!("{role}.{table}.{column}");
                assert!(
                    counterparts(form).contains(&other_form.as_str()),
                    "{place} is {form} on SQLite and {other_form} on PostgreSQL"
                );
                assert_eq!(nullable, other_nullable, "{place}: whether it may be null");
                assert_eq!(key, other_key, "{place}: its place in the primary key");
            }
        }
    }
}
