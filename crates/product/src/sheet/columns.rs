//! Which columns a file has. They come in any order, under the old names or the new ones.

use std::collections::BTreeMap;

use kernel::Currency;

use super::Record;
use super::column::{self, Column, Named};

const LONGEST_LOCATION: usize = 100;
/// As many locations as a shop may have.
const MOST_LOCATIONS: usize = 100;

/// The columns of a file.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    header: Vec<String>,
    places: BTreeMap<Column, usize>,
    locations: Vec<String>,
    ignored: Vec<String>,
}

/// Why the first line does not name the columns.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// A column that every file has is not there.
    #[error(
        "the first line must name the columns, with commas between them, and one of them must be \
         `Handle`; found: {}",
        .found.join(", ")
    )]
    NoHandle {
        /// The columns that are.
        found: Vec<String>,
    },
    /// Two columns say the same.
    #[error(
        "the columns `{0}` and `{1}` say the same; take one of them out (the prices of columns \
         without a currency are in the one of --currency)"
    )]
    Twice(String, String),
    /// A price to compare with, without a price.
    #[error("the column `{0}` needs a column with the price beside it")]
    NoPrice(String),
    /// A column names a location that cannot be.
    #[error("the column `{0}` must name a location, in 1 to {LONGEST_LOCATION} characters")]
    BadLocation(String),
    /// More locations than a shop may have.
    #[error("there are columns for more than {MOST_LOCATIONS} locations")]
    TooManyLocations,
}

impl Columns {
    /// Reads the first record of a file. `base` is the currency of columns that name none.
    pub(crate) fn read(header: &Record, base: Currency) -> Result<Self, BadHeader> {
        let header: Vec<String> = header.fields.iter().map(|f| f.trim().to_owned()).collect();
        let mut columns = Self {
            header: Vec::new(),
            places: BTreeMap::new(),
            locations: Vec::new(),
            ignored: Vec::new(),
        };
        for (place, name) in header.iter().enumerate() {
            let column = match column::named(name, base) {
                Named::Column(column) => column,
                Named::Location(location) => columns.location(location, name)?,
                Named::Unknown if !name.is_empty() && !columns.ignored.contains(name) => {
                    columns.ignored.push(name.clone());
                    continue;
                }
                Named::Unknown | Named::Included => continue,
            };
            if let Some(other) = columns.places.insert(column, place) {
                return Err(BadHeader::Twice(header[other].clone(), name.clone()));
            }
        }
        columns.header = header;
        columns.check()
    }

    /// The column of a location, which may be known already.
    fn location(&mut self, location: &str, name: &str) -> Result<Column, BadHeader> {
        let fits = (1..=LONGEST_LOCATION).contains(&location.chars().count());
        if !fits || location.chars().any(char::is_control) {
            return Err(BadHeader::BadLocation(name.to_owned()));
        }
        let known = self.locations.iter().position(|known| known == location);
        if known.is_none() {
            self.locations.push(location.to_owned());
        }
        Ok(Column::QuantityAt(
            known.unwrap_or(self.locations.len() - 1),
        ))
    }

    fn check(self) -> Result<Self, BadHeader> {
        if !self.has(Column::Handle) {
            return Err(BadHeader::NoHandle { found: self.header });
        }
        if self.locations.len() > MOST_LOCATIONS {
            return Err(BadHeader::TooManyLocations);
        }
        for (column, place) in &self.places {
            if matches!(column, Column::CompareAt(currency) if !self.has(Column::Price(*currency)))
            {
                return Err(BadHeader::NoPrice(self.header[*place].clone()));
            }
        }
        Ok(self)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.header.len()
    }

    pub(crate) fn has(&self, column: Column) -> bool {
        self.places.contains_key(&column)
    }

    /// What a record says in a column, without the spaces around it; `None` if there is no such
    /// column.
    pub(crate) fn cell<'a>(&self, record: &'a Record, column: Column) -> Option<&'a str> {
        self.field(&record.fields, column)
    }

    /// The same of a record of which not all could be read.
    pub(crate) fn field<'a>(&self, fields: &'a [String], column: Column) -> Option<&'a str> {
        let place = *self.places.get(&column)?;
        fields.get(place).map(|field| field.trim())
    }

    /// What the file calls a column.
    pub(crate) fn name(&self, column: Column) -> Option<String> {
        self.name_at(*self.places.get(&column)?)
    }

    /// What the file calls the column at a place.
    pub(crate) fn name_at(&self, place: usize) -> Option<String> {
        self.header.get(place).cloned()
    }

    /// Whether a record has something in one of these columns.
    pub(crate) fn says(&self, record: &Record, which: impl Fn(Column) -> bool) -> bool {
        let mut cells = self.places.keys().filter(|column| which(**column));
        cells.any(|column| {
            self.cell(record, *column)
                .is_some_and(|cell| !cell.is_empty())
        })
    }

    /// The currencies that there are prices in.
    pub(crate) fn currencies(&self) -> impl Iterator<Item = Currency> {
        self.places.keys().filter_map(|column| match column {
            Column::Price(currency) => Some(*currency),
            _ => None,
        })
    }

    /// The locations that have columns of their own.
    pub(crate) fn locations(&self) -> &[String] {
        &self.locations
    }

    /// Columns that nothing is made of.
    pub(crate) fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// Whether there is a column that says something of variants.
    pub(crate) fn has_variants(&self) -> bool {
        self.places.keys().any(|column| column.of_variant())
    }
}

#[cfg(test)]
mod tests {
    use super::super::column::NAMES;
    use super::*;

    fn read(header: &str) -> Result<Columns, BadHeader> {
        let fields = header.split(',').map(str::to_owned).collect();
        let record = Record {
            line: 1,
            fields,
            bytes: header.len(),
        };
        Columns::read(&record, Currency::EUR)
    }

    #[test]
    fn old_and_new_names_mean_the_same() {
        let old = "Handle,Title,Body (HTML),Vendor,Product Category,Published,Option1 Name,\
                   Variant SKU,Variant Grams,Variant Inventory Tracker,Variant Inventory Qty,\
                   Variant Inventory Policy,Variant Price,Variant Compare At Price,\
                   Variant Requires Shipping,Variant Barcode,Image Src,Image Alt Text,\
                   Price / USD,Compare At Price / USD";
        let new = "URL handle,Title,Description,Vendor,Product category,Published on online store,\
                   Option1 name,SKU,Weight value (grams),Inventory tracker,Inventory quantity,\
                   Continue selling when out of stock,Price,Compare-at price,Requires shipping,\
                   Barcode,Product image URL,Image alt text,Price / USD,Compare-at price / USD";
        let (old, new) = (read(old).expect("readable"), read(new).expect("readable"));
        assert_eq!(old.places, new.places);
        assert!(old.ignored().is_empty() && new.ignored().is_empty());
    }

    #[test]
    fn markets_and_locations_have_columns_of_their_own() {
        let header = "Handle,Price / USD,Price / Asia,Included / USD,Inventory Qty / Rialto,Price,\
                      Inventory Qty / Mestre,Gift Card";
        let columns = read(header).expect("readable");
        let currencies: Vec<Currency> = columns.currencies().collect();
        assert_eq!(currencies, [Currency::EUR, Currency::USD]);
        assert_eq!(columns.locations(), ["Rialto", "Mestre"]);
        assert_eq!(columns.ignored(), ["Price / Asia", "Gift Card"]);
    }

    #[test]
    fn what_is_written_is_known() {
        let locations = [String::from("Rialto")];
        let others = [
            Column::Price(Currency::EUR),
            Column::Price(Currency::JPY),
            Column::CompareAt(Currency::EUR),
            Column::CompareAt(Currency::JPY),
            Column::QuantityAt(0),
        ];
        let columns = NAMES.iter().map(|(column, _)| *column).chain(others);
        let columns: Vec<Column> = columns.collect();
        let names = columns
            .iter()
            .map(|column| column.name(Currency::EUR, &locations));
        let header = read(&names.collect::<Vec<_>>().join(",")).expect("readable");
        for column in columns {
            assert!(header.has(column), "{column:?}");
        }
    }

    #[test]
    fn a_header_that_cannot_be_is_refused() {
        let refused = |header| read(header).expect_err("refused").to_string();
        assert!(refused("mug,Mug,1.00").contains("found: mug, Mug, 1.00"));
        assert!(refused("Handle,SKU,Variant SKU").contains("`SKU` and `Variant SKU`"));
        assert!(refused("Handle,Price,Price / EUR").contains("--currency"));
        assert!(refused("Handle,Compare-at price").contains("`Compare-at price` needs"));
        assert!(refused("Handle,Inventory Qty / ").contains("must name a location"));
        let many: String = (0..101).map(|n| format!(",Inventory Qty / {n}")).collect();
        assert!(refused(&format!("Handle{many}")).contains("more than 100"));
    }
}
