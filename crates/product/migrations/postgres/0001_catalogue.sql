CREATE TABLE product_placeholder (id bigint PRIMARY KEY);
