CREATE TABLE order_placeholder (id bigint PRIMARY KEY);
