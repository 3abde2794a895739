//! The route table.

use kernel::{Access, Permission};
use platform::http::Routes;
use platform::route;

use crate::{
    UserService, add_address, add_staff, change_address, change_password, get_address,
    get_customer, get_keys, get_profile, get_staff, get_staff_profile, list_addresses,
    list_customers, list_staff, log_in, log_in_staff, log_out, refresh_session, register_customer,
    remove_address, request_password_reset, request_verification, reset_password, update_profile,
    update_staff, verify_email,
};

/// Every route of the user service.
pub fn routes() -> Routes<UserService> {
    Routes::new(
        "user",
        [
            route!(register_customer, Access::Anyone),
            route!(get_profile, Access::Customer),
            route!(update_profile, Access::Customer),
            route!(change_password, Access::Customer),
            route!(list_addresses, Access::Customer),
            route!(add_address, Access::Customer),
            route!(get_address, Access::Customer),
            route!(change_address, Access::Customer),
            route!(remove_address, Access::Customer),
            route!(list_customers, Access::Staff(Permission::CustomersRead)),
            route!(get_customer, Access::Staff(Permission::CustomersRead)),
            route!(log_in, Access::Anyone),
            route!(refresh_session, Access::Anyone),
            route!(log_out, Access::Anyone),
            route!(verify_email, Access::Anyone),
            route!(request_verification, Access::Customer),
            route!(request_password_reset, Access::Anyone),
            route!(reset_password, Access::Anyone),
            route!(log_in_staff, Access::Anyone),
            route!(get_staff_profile, Access::AnyStaff),
            route!(list_staff, Access::Staff(Permission::StaffManage)),
            route!(add_staff, Access::Staff(Permission::StaffManage)),
            route!(get_staff, Access::Staff(Permission::StaffManage)),
            route!(update_staff, Access::Staff(Permission::StaffManage)),
            route!(get_keys, Access::Anyone),
        ],
    )
}
