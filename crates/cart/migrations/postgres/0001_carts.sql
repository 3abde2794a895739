CREATE TABLE cart_placeholder (id bigint PRIMARY KEY);
