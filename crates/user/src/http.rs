//! The route table.

use kernel::Access;
use platform::http::Routes;
use platform::route;

use crate::{
    UserService, get_profile, log_in, log_in_staff, log_out, refresh_session, register_customer,
};

/// Every route of the user service.
pub fn routes() -> Routes<UserService> {
    Routes::new(
        "user",
        [
            route!(register_customer, Access::Anyone),
            route!(get_profile, Access::Customer),
            route!(log_in, Access::Anyone),
            route!(log_in_staff, Access::Anyone),
            route!(refresh_session, Access::Anyone),
            route!(log_out, Access::Anyone),
        ],
    )
}
