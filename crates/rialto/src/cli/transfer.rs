//! `rialto import` and `rialto export`.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use kernel::Currency;
use product::{ImportStock, ProductStatus};

#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    Products(ImportProducts),
}

/// Import products from a Shopify product CSV.
///
/// A product is the lines that follow each other with one Handle. It is found again by its handle,
/// its variants by their SKUs, and becomes what its lines say: columns that the file does not have
/// leave things as they are, variants that it does not have are removed. A product of which one
/// line is wrong is left out, and the line is told. The same file changes nothing a second time.
///
/// Stock: `Variant Inventory Qty` is for the first location, `Inventory Qty / NAME` for others. It
/// is put onto the shelves of variants that are new, so what was sold since does not come back;
/// with --stock set, of all of them.
///
/// Beside a running shop or without one. Exit code 4 if something was left out.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rialto import products shop.csv
  rialto import products shop.csv --dry-run          what would happen
  rialto import products shop.csv --currency USD     Variant Price is in dollars
  rialto import products count.csv --stock set       after counting the shelves
  rialto import products - --json < shop.csv > report.json")]
pub(crate) struct ImportProducts {
    /// The file; - for standard input
    pub(crate) file: PathBuf,
    /// The currency of the price columns that name none [default: product.currency]
    #[arg(long, value_name = "CODE", value_parser = currency)]
    pub(crate) currency: Option<Currency>,
    /// Which variants get their stock from the file
    #[arg(long, value_name = "WHICH", default_value = "new", value_parser = stock())]
    pub(crate) stock: ImportStock,
    /// Only tells what would happen
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// One JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ExportCommand {
    Products(ExportProducts),
}

/// Export the products as a Shopify product CSV.
///
/// In the order of their handles, with all prices, and with the stock at each location. Imported
/// into an empty shop and exported again, the file is the same.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rialto export products shop.csv
  rialto export products --status active --currency USD > shop.csv")]
pub(crate) struct ExportProducts {
    /// The file; standard output if it is left out, or -
    pub(crate) file: Option<PathBuf>,
    /// Only products in this state
    #[arg(long, value_name = "STATUS", value_parser = status())]
    pub(crate) status: Option<ProductStatus>,
    /// The currency whose columns name none [default: product.currency]
    #[arg(long, value_name = "CODE", value_parser = currency)]
    pub(crate) currency: Option<Currency>,
}

fn currency(code: &str) -> Result<Currency, String> {
    let currency: Result<Currency, _> = code.to_ascii_uppercase().parse();
    currency.map_err(|unknown| unknown.to_string())
}

fn stock() -> impl TypedValueParser<Value = ImportStock> {
    PossibleValuesParser::new(ImportStock::ALL.iter().map(|stock| stock.as_str()))
        .map(|text| text.parse().expect("only these are possible"))
}

fn status() -> impl TypedValueParser<Value = ProductStatus> {
    PossibleValuesParser::new(ProductStatus::ALL.iter().map(|status| status.as_str()))
        .map(|text| text.parse().expect("only states are possible"))
}
