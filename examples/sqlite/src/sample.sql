-- A small shop, the same in every run.

PRAGMA synchronous = OFF;
BEGIN;

CREATE TABLE cities (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    country    TEXT NOT NULL,
    population INTEGER NOT NULL,
    founded    INTEGER
);

INSERT INTO cities (name, country, population, founded) VALUES
    ('Aarhus', 'Denmark', 290598, NULL),
    ('Bergen', 'Norway', 291940, 1070),
    ('Bologna', 'Italy', 390625, -534),
    ('Braga', 'Portugal', 193349, -20),
    ('Cusco', 'Peru', 428450, NULL),
    ('Dunedin', 'New Zealand', 106200, 1848),
    ('Fes', 'Morocco', 1256172, 789),
    ('Galway', 'Ireland', 85910, 1124),
    ('Ghent', 'Belgium', 265086, 630),
    ('Graz', 'Austria', 302749, 1128),
    ('Kanazawa', 'Japan', 462479, 1583),
    ('Kraków', 'Poland', 803282, 965),
    ('Leipzig', 'Germany', 619879, 1015),
    ('Ljubljana', 'Slovenia', 284293, 1144),
    ('Lyon', 'France', 522250, -43),
    ('Montréal', 'Canada', 1762949, 1642),
    ('Mysuru', 'India', 920550, 1399),
    ('Oaxaca', 'Mexico', 270955, 1532),
    ('Oulu', 'Finland', 214633, 1605),
    ('Plovdiv', 'Bulgaria', 329489, NULL),
    ('Salta', 'Argentina', 618375, 1582),
    ('Santa Fe', 'United States', 87505, 1610),
    ('Tartu', 'Estonia', 97435, 1030),
    ('Utrecht', 'Netherlands', 374238, 47);

CREATE TABLE products (
    id    INTEGER PRIMARY KEY,
    name  TEXT NOT NULL UNIQUE,
    cents INTEGER NOT NULL
);

INSERT INTO products (name, cents) VALUES
    ('teapot', 3490),
    ('umbrella', 2200),
    ('notebook', 650),
    ('fountain pen', 4800),
    ('wool blanket', 8900),
    ('pocket knife', 3150),
    ('chess set', 5600),
    ('desk lamp', 7400);

CREATE TABLE orders (
    id         INTEGER PRIMARY KEY,
    ordered_on TEXT NOT NULL,
    city_id    INTEGER NOT NULL REFERENCES cities,
    product_id INTEGER NOT NULL REFERENCES products,
    quantity   INTEGER NOT NULL,
    note       TEXT,
    signature  BLOB NOT NULL
);

WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 4999)
INSERT INTO orders (ordered_on, city_id, product_id, quantity, note, signature)
SELECT
    date('2024-01-01', (n / 14) || ' days'),
    1 + n * 7919 % (SELECT count(*) FROM cities),
    1 + n * n % 61 % (SELECT count(*) FROM products),
    1 + n * n % 7 % 3,
    CASE n % 9 WHEN 0 THEN 'gift wrap' WHEN 4 THEN 'leave with a neighbour' END,
    unhex(printf('%016x', n * 2654435761))
FROM numbers;

CREATE INDEX orders_by_city ON orders (city_id);

COMMIT;
