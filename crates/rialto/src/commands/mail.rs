//! `rialto mail`.

use std::path::Path;

use contracts::notification::MailId;
use kernel::Email;
use notification::{Mail, list_mails, show_mail};
use platform::db::Db;
use rialto::Role;

use super::{Exit, Failure, Outcome, json, migrated, settings};
use crate::cli::{Global, MailCommand};
use crate::terminal::{faint, say, table};

pub(crate) async fn run(global: &Global, command: MailCommand) -> Outcome {
    if let MailCommand::Templates { folder } = command {
        return write_templates(&folder);
    }
    let (layers, settings) = settings(global)?;
    let db = migrated(&layers, &settings, Role::Notification).await?;
    match command {
        MailCommand::List {
            to,
            limit,
            json: true,
        } => say(json(&list_mails(&db, to.as_ref(), limit).await?)?)?,
        MailCommand::List { to, limit, .. } => list(&db, to, limit).await?,
        MailCommand::Show { id, html, json } => show(&db, id, html, json).await?,
        MailCommand::Templates { .. } => {}
    }
    db.close().await;
    Ok(Exit::Done)
}

async fn list(db: &Db, to: Option<Email>, limit: u32) -> Result<(), Failure> {
    let mails = list_mails(db, to.as_ref(), limit).await?;
    if mails.is_empty() {
        say("no mails")?;
        return Ok(());
    }
    let row = |mail: &Mail| {
        vec![
            mail.id.to_string(),
            mail.created_at.to_string(),
            mail.recipient.to_string(),
            mail.subject.clone(),
        ]
    };
    let rows: Vec<_> = mails.iter().map(row).collect();
    say(table(&["id", "written at", "to", "subject"], &rows))?;
    Ok(())
}

async fn show(db: &Db, id: Option<MailId>, html: bool, as_json: bool) -> Result<(), Failure> {
    let mail = match id {
        Some(id) => show_mail(db, id).await?,
        None => {
            let youngest = list_mails(db, None, 1).await?.into_iter().next();
            youngest.ok_or_else(|| anyhow::anyhow!("the mailbox is empty"))?
        }
    };
    if as_json {
        say(json(&mail)?)?;
    } else if html {
        say(&mail.html)?;
    } else {
        for (name, value) in [
            ("From", mail.sender.to_string()),
            ("To", mail.recipient.to_string()),
            ("Date", mail.created_at.to_string()),
            ("Subject", mail.subject),
        ] {
            say(format_args!("{} {value}", faint(format!("{name}:"))))?;
        }
        say(format_args!("\n{}", mail.text))?;
    }
    Ok(())
}

fn write_templates(folder: &Path) -> Outcome {
    std::fs::create_dir_all(folder)?;
    for (name, text) in notification::TEMPLATES {
        let file = folder.join(name);
        if file.exists() {
            say(format_args!("{} is there already", file.display()))?;
        } else {
            std::fs::write(&file, text)?;
            say(format_args!("{} written", file.display()))?;
        }
    }
    Ok(Exit::Done)
}
