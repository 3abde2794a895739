//! `rialto staff create`: a member of staff, from the command line.

use kernel::{Email, Json, Secret, Sources, StaffId, StaffRole};
use platform::db::Db;

use crate::model::Staff;
use crate::password::{self, Hasher};
use crate::{UserError, store};

/// Creates a member of staff in the database of the user service. For the command line, where the
/// first one has to come from, and for tests.
pub async fn create_staff(
    db: &Db,
    email: &str,
    name: &str,
    password: &str,
    roles: &[StaffRole],
) -> Result<StaffId, UserError> {
    let invalid = |error: kernel::email::InvalidEmail| {
        let code = kernel::problem::codes::INVALID;
        UserError::Relayed(kernel::Problem::new(
            kernel::Kind::Invalid,
            code,
            error.to_string(),
        ))
    };
    let email: Email = email.parse().map_err(invalid)?;
    let password = Secret::new(password.to_owned());
    password::check(&password)?;
    let hash = Hasher::new(1, 1).hash(password, &Sources::system()).await?;
    let sources = db.sources();
    let staff = Staff {
        id: sources.id(),
        email,
        name: name.to_owned(),
        roles: Json(roles.to_vec()),
        active: true,
        version: 1,
        created_at: sources.now(),
    };
    db.write(move |tx| async move {
        if store::add_staff(&tx, &staff, &hash).await? {
            Ok(staff.id)
        } else {
            Err(UserError::EmailTaken)
        }
    })
    .await
}
