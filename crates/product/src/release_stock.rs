//! `product.release_stock`: lets go of what a holder has set aside and did not commit.

use contracts::product::ReleaseStock;
use kernel::Problem;

use crate::ProductService;
use crate::reservation_queue::Command;

impl ProductService {
    /// Lets go; see [`ProductApi`](contracts::product::ProductApi).
    pub(crate) async fn release_stock(&self, request: ReleaseStock) -> Result<(), Problem> {
        self.reservations
            .submit(Command::Release(request.holder))
            .await
            .map(drop)
    }
}
