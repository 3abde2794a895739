CREATE TABLE product_placeholder (id INTEGER PRIMARY KEY);
