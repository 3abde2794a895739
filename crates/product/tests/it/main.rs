//! The product service over HTTP, one file for each operation; and its stock under chance, load
//! and races.

mod add_location;
mod adjust_stock;
mod archive_product;
mod categories;
mod consume;
mod create_product;
mod export_products;
mod get_product;
mod get_stock;
mod import_files;
mod import_memory;
mod import_products;
mod import_rejections;
mod list_ledger;
mod list_products;
mod load;
mod reserve_stock;
mod search_index;
mod search_products;
mod search_words;
mod stock_machine;
mod stockroom;
mod sweep;
mod update_product;
