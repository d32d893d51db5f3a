-- What is asked where migrations are applied: chalicelib/warehouse/migrations.py.

-- name: tables
SELECT c.relname AS name
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
WHERE n.nspname = 'disaster' AND c.relkind = 'r'
ORDER BY c.relname;

-- name: applied
SELECT
    version,
    name,
    checksum,
    applied_at
FROM disaster.migration
ORDER BY version;

-- name: roles
SELECT role_name FROM svv_roles;

-- name: encodings
-- docs.aws.amazon.com/redshift/latest/dg/r_SVV_REDSHIFT_COLUMNS.html
SELECT
    column_name,
    encoding
FROM svv_redshift_columns
WHERE database_name = :database AND schema_name = 'disaster' AND table_name = :table;

-- name: lock
-- Before anything is read: the transaction's snapshot is taken after others have committed, so the next statement sees
-- what they did. docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html
LOCK disaster.migration;

-- name: guard
-- Fails, and with it the transaction, if somebody else was quicker: Redshift has no IF outside procedures, and enforces
-- no key.
SELECT CAST(CASE WHEN COUNT(*) = 0 THEN '0' ELSE 'applied meanwhile' END AS INTEGER) AS applied
FROM disaster.migration
WHERE version = CAST(:version AS INTEGER);

-- name: record
INSERT INTO disaster.migration (version, name, checksum)
VALUES (CAST(:version AS INTEGER), :name, :checksum);
