//! What the platform promises, over real connections and on real databases.

mod channel;
mod contract;
mod db;
mod events;
mod house;
mod http;
mod inbox;
mod log;
mod redis;
mod retries;
mod slow_clients;
mod stage;
