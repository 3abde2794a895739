CREATE TABLE notification_placeholder (id INTEGER PRIMARY KEY);
