CREATE TABLE order_placeholder (id INTEGER PRIMARY KEY);
