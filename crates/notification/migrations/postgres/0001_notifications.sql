CREATE TABLE notification_placeholder (id bigint PRIMARY KEY);
