CREATE TABLE cart_placeholder (id INTEGER PRIMARY KEY);
