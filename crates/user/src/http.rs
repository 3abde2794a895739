//! The route table.

use kernel::Access;
use platform::http::Routes;
use platform::route;

use crate::{UserService, get_profile, register_customer};

/// Every route of the user service.
pub fn routes() -> Routes<UserService> {
    Routes::new(
        "user",
        [
            route!(register_customer, Access::Anyone),
            route!(get_profile, Access::Customer),
        ],
    )
}
