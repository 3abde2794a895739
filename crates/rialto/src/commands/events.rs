//! `rialto events`.

use std::collections::{BTreeMap, BTreeSet};

use kernel::EventId;
use platform::events::{Failure as FailedEvent, OutboxState, failures, outbox_state, replay};
use rialto::Role;
use serde::Serialize;

use super::{Exit, Failure, Outcome, json, migrated, named, settings};
use crate::cli::{EventsCommand, Global};
use crate::terminal::{say, table};

pub(crate) async fn run(global: &Global, command: EventsCommand) -> Outcome {
    match command {
        EventsCommand::List { roles, json } => list(global, &roles, json).await,
        EventsCommand::Replay { ids, roles, .. } => replay_events(global, &roles, &ids).await,
    }
}

fn with_database(roles: &[Role]) -> BTreeSet<Role> {
    let roles = named(roles).into_iter();
    roles.filter(|role| role.has_database()).collect()
}

/// What waits and what has failed in one role.
#[derive(Serialize)]
struct Standing {
    outbox: OutboxState,
    failures: Vec<FailedEvent>,
}

async fn list(global: &Global, roles: &[Role], as_json: bool) -> Outcome {
    let (layers, settings) = settings(global)?;
    let mut standings = BTreeMap::new();
    for role in with_database(roles) {
        let db = migrated(&layers, &settings, role).await?;
        let standing = Standing {
            outbox: outbox_state(&db).await?,
            failures: failures(&db).await?,
        };
        standings.insert(role, standing);
        db.close().await;
    }
    if as_json {
        say(json(&standings)?)?;
    } else {
        tell(&standings)?;
    }
    Ok(Exit::Done)
}

fn tell(standings: &BTreeMap<Role, Standing>) -> Result<(), Failure> {
    let summary = |(role, standing): (&Role, &Standing)| {
        let parked = standing
            .failures
            .iter()
            .filter(|event| event.parked_at.is_some());
        let parked = parked.count();
        let backlog: i64 = standing.outbox.backlog.values().sum();
        let oldest = standing.outbox.oldest_at.map(|time| time.to_string());
        vec![
            role.to_string(),
            standing.outbox.pending.to_string(),
            backlog.to_string(),
            (standing.failures.len() - parked).to_string(),
            parked.to_string(),
            oldest.unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = standings.iter().map(summary).collect();
    let head = [
        "role",
        "not sent",
        "undelivered",
        "waiting",
        "parked",
        "oldest not sent",
    ];
    say(table(&head, &rows))?;
    let rows: Vec<_> = standings
        .values()
        .flat_map(|standing| &standing.failures)
        .collect();
    if !rows.is_empty() {
        let row = |event: &&FailedEvent| {
            vec![
                event.event_id.to_string(),
                event.consumer.clone(),
                event.state().to_string(),
                event.attempts.to_string(),
                event.failed_at.to_string(),
                event.error.clone(),
            ]
        };
        let rows: Vec<_> = rows.iter().map(row).collect();
        let head = [
            "event",
            "consumer",
            "state",
            "attempts",
            "failed first",
            "error",
        ];
        say(format_args!("\n{}", table(&head, &rows)))?;
    }
    Ok(())
}

async fn replay_events(global: &Global, roles: &[Role], ids: &[EventId]) -> Outcome {
    let (layers, settings) = settings(global)?;
    let mut count = 0;
    for role in with_database(roles) {
        let db = migrated(&layers, &settings, role).await?;
        if ids.is_empty() {
            count += replay(&db, None).await?;
        }
        for id in ids {
            count += replay(&db, Some(*id)).await?;
        }
        db.close().await;
    }
    let events = if count == 1 { "event" } else { "events" };
    say(format_args!(
        "{count} {events} will be tried again by the running server"
    ))?;
    if count == 0 && !ids.is_empty() {
        return Err(
            anyhow::anyhow!("no failed event has this id; see `rialto events list`").into(),
        );
    }
    Ok(Exit::Done)
}
