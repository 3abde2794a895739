//! What must hold for the whole of Rialto, whoever adds what: each promise is checked against all
//! routes, codes, events, statements and keys that there are, so that a new one is covered at once.

mod access;
mod announced;
mod boot;
mod codes;
mod configuration;
mod demo;
mod dependencies;
mod doctor;
mod document;
mod encrypted;
mod events;
mod gateway_commands;
mod limits;
mod maintenance;
mod program;
mod sources;
mod split_files;
mod start_errors;
mod statements;
mod subscriptions;
mod tables;
mod telemetry;
mod transfer;
