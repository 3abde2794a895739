//! The route table.

use platform::http::Routes;

use crate::NotificationService;

/// Every route of the notification service.
pub fn routes() -> Routes<NotificationService> {
    Routes::new("notification", [])
}
