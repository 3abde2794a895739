-- What `mailbox:` has taken: nothing leaves the house, and nothing stays longer than `mail.keep`.
CREATE TABLE mails (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    sender text NOT NULL,
    recipient text NOT NULL,
    subject text NOT NULL,
    body_text text NOT NULL,
    body_html text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX mails_recipient ON mails (recipient, id);
CREATE INDEX mails_age ON mails (created_at);
