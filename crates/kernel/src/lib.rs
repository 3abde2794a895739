//! The vocabulary that every crate of Rialto shares: identifiers, money, time, pages, problems
//! secrets, identity, events, and the shape of calls between services. Pure values and rules; nothing here touches a network, a disk or a database.

pub mod address;
pub mod clock;
pub mod contract;
pub mod email;
pub mod event;
pub mod id;
pub mod identity;
pub mod money;
pub mod page;
pub mod problem;
pub mod rate;
pub mod secret;
pub mod sources;
pub mod stored;
pub mod validate;

pub use address::{Address, Country};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use email::Email;
pub use event::{Envelope, Event, EventId};
pub use id::{Id, IdError};
pub use identity::{Access, Caller, CustomerId, Permission, StaffId, StaffRole};
pub use money::{Currency, Money, MoneyError};
pub use page::{Cursor, CursorError, Limit, Page};
pub use problem::{Code, Fault, FieldError, Kind, Problem};
pub use rate::Rate;
pub use secret::Secret;
pub use sources::{Random, Sources, SystemRandom};
pub use stored::{Json, Scalar, Stored};
pub use validate::{Validate, Violations};
