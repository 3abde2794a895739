//! Members of staff. There are few of them, so the table is not distributed.

use kernel::{Email, Json, StaffId, StaffRole};
use platform::db::{DbError, Tx};
use platform::{from_row, params, sql};

use crate::model::Staff;

from_row!(Staff {
    id,
    email,
    name,
    roles,
    active,
    version,
    created_at
});

/// What decides whether a member of staff may log in, and as what.
#[derive(Debug)]
pub(crate) struct StaffCredentials {
    pub(crate) id: StaffId,
    pub(crate) password_hash: String,
    pub(crate) roles: Json<Vec<StaffRole>>,
    pub(crate) active: bool,
}

from_row!(StaffCredentials {
    id,
    password_hash,
    roles,
    active
});

pub(crate) async fn staff(tx: &Tx, id: StaffId) -> Result<Option<Staff>, DbError> {
    tx.one(
        sql!(
            "SELECT id, email, name, roles, active, version, created_at
             FROM staff WHERE id = $1"
        ),
        params![id],
    )
    .await
}

/// The member, whom nobody else changes until the transaction ends.
pub(crate) async fn lock_staff(tx: &Tx, id: StaffId) -> Result<Option<Staff>, DbError> {
    tx.one(
        // SQLite has one writer.
        sql!(
            sqlite: "SELECT id, email, name, roles, active, version, created_at
                     FROM staff WHERE id = $1",
            postgres: "SELECT id, email, name, roles, active, version, created_at
                       FROM staff WHERE id = $1 FOR UPDATE"
        ),
        params![id],
    )
    .await
}

/// Who may do everything, and cannot lose that until the transaction ends. Locked in one order, so
/// that two transactions do not wait for each other.
pub(crate) async fn lock_admins(tx: &Tx) -> Result<Vec<StaffId>, DbError> {
    let rows: Vec<(StaffId,)> = tx
        .all(
            sql!(
                sqlite: "SELECT id FROM staff WHERE active AND EXISTS (
                             SELECT 1 FROM json_each(staff.roles) WHERE value = $1)
                         ORDER BY id",
                postgres: "SELECT id FROM staff WHERE active AND roles::jsonb ? $1
                           ORDER BY id FOR UPDATE"
            ),
            params![StaffRole::Admin],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// Members after `after`, the oldest first.
pub(crate) async fn all_staff(tx: &Tx, after: StaffId, rows: i64) -> Result<Vec<Staff>, DbError> {
    tx.all(
        sql!(
            "SELECT id, email, name, roles, active, version, created_at
             FROM staff WHERE id > $1 ORDER BY id LIMIT $2"
        ),
        params![after, rows],
    )
    .await
}

pub(crate) async fn staff_credentials(
    tx: &Tx,
    email: &Email,
) -> Result<Option<StaffCredentials>, DbError> {
    let select = sql!("SELECT id, password_hash, roles, active FROM staff WHERE email = $1");
    tx.one(select, params![email]).await
}

/// The same, which nobody changes until the transaction ends.
pub(crate) async fn lock_staff_credentials(
    tx: &Tx,
    id: StaffId,
) -> Result<Option<StaffCredentials>, DbError> {
    tx.one(
        sql!(
            sqlite: "SELECT id, password_hash, roles, active FROM staff WHERE id = $1",
            postgres: "SELECT id, password_hash, roles, active FROM staff WHERE id = $1 FOR SHARE"
        ),
        params![id],
    )
    .await
}

/// Adds a member; `false` if the id or the address is taken.
pub(crate) async fn add_staff(
    tx: &Tx,
    staff: &Staff,
    password_hash: &str,
) -> Result<bool, DbError> {
    let added = tx
        .exec(
            sql!(
                "INSERT INTO staff (id, email, name, password_hash, roles, active, version,
                                    created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT DO NOTHING"
            ),
            params![
                staff.id,
                staff.email,
                staff.name,
                password_hash,
                staff.roles,
                staff.active,
                staff.version,
                staff.created_at
            ],
        )
        .await?;
    Ok(added == 1)
}

/// Keeps what has changed of a member.
pub(crate) async fn save_staff(tx: &Tx, staff: &Staff) -> Result<(), DbError> {
    tx.run(
        sql!(
            "UPDATE staff SET name = $2, roles = $3, active = $4, version = $5, updated_at = $6
             WHERE id = $1"
        ),
        params![
            staff.id,
            staff.name,
            staff.roles,
            staff.active,
            staff.version,
            tx.sources().now()
        ],
    )
    .await
}

pub(crate) async fn set_staff_password(
    tx: &Tx,
    id: StaffId,
    password_hash: &str,
) -> Result<(), DbError> {
    tx.run(
        sql!("UPDATE staff SET password_hash = $2, updated_at = $3 WHERE id = $1"),
        params![id, password_hash, tx.sources().now()],
    )
    .await
}
