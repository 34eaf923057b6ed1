#!/bin/sh
# Make the warehouse's owner and database, once, as PostgreSQL's superuser. The owner makes the kommuner's roles, is no
# superuser, and sees no rows. WAREHOUSE_PASSWORD is its password.
set -eu
psql --username "${POSTGRES_USER:-postgres}" --dbname postgres --no-psqlrc --quiet --set ON_ERROR_STOP=1 \
    --set password="$WAREHOUSE_PASSWORD" <<'SQL'
set password_encryption = 'scram-sha-256';
create role dataflyt login createrole nosuperuser password :'password';
create database warehouse owner dataflyt;
SQL
psql --username "${POSTGRES_USER:-postgres}" --dbname warehouse --no-psqlrc --quiet --set ON_ERROR_STOP=1 \
    --file "$(dirname "$0")/hide_sizes.sql"
