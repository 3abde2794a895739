//! A shop whose gateway has a table of routes.

use std::path::PathBuf;

use tempfile::TempDir;
use testkit::{Client, TestShop, TestShopBuilder};

pub(crate) struct Bridge {
    pub(crate) shop: TestShop,
    folder: TempDir,
}

impl Bridge {
    pub(crate) async fn open(table: &str) -> Self {
        Self::open_with(table, &[], &[]).await
    }

    /// With further settings, or with files beside the table.
    pub(crate) async fn open_with(
        table: &str,
        files: &[(&str, String)],
        settings: &[(&str, String)],
    ) -> Self {
        let folder = TempDir::new().expect("a folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        std::fs::write(folder.path().join("routes.toml"), table).expect("written");
        let file = folder.path().join("routes.toml");
        let shop = TestShop::builder()
            .set("gateway.routes", file.display())
            .set("http.deadline", "5s");
        let set = |shop: TestShopBuilder, (key, value): &(&str, String)| shop.set(key, value);
        let shop = settings.iter().fold(shop, set).start().await;
        Self { shop, folder }
    }

    pub(crate) fn client(&self) -> &Client {
        self.shop.client()
    }

    /// The listener for those who operate it.
    pub(crate) fn admin(&self) -> &Client {
        &self.shop.admin_clients()[0]
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, table: &str) {
        std::fs::write(self.file("routes.toml"), table).expect("written");
    }
}
