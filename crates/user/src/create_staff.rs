//! `rialto staff create`: a member of staff, from the command line.

use kernel::{Email, Secret, Sources, StaffId, StaffRole};
use platform::db::Db;

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
    let (name, roles) = (name.to_owned(), roles.to_vec());
    db.write(move |tx| async move {
        let id = tx.sources().id();
        if !store::add_staff(&tx, id, &email, &name, &hash, roles).await? {
            return Err(UserError::EmailTaken);
        }
        Ok(id)
    })
    .await
}
