//! What the platform promises, over real connections and on real databases.

mod db;
mod events;
mod inbox;
mod retries;
mod stage;
