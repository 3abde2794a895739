-- What `mailbox:` has taken: nothing leaves the house, and nothing stays longer than `mail.keep`.
CREATE TABLE mails (
    id BLOB PRIMARY KEY,
    kind TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    body_text TEXT NOT NULL,
    body_html TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX mails_recipient ON mails (recipient, id);
CREATE INDEX mails_age ON mails (created_at);
