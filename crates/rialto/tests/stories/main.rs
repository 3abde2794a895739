//! Stories across all services: what must never break, under load and at crashes. The same stories
//! pass on both databases, all in one and split.

mod crash;
mod rush;
mod shopping;
