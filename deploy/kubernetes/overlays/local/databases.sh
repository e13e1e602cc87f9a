#!/bin/sh
# Runs once, on an empty volume: a role and a database for each file, which is named after it and has its password.
set -eu
for file in "${PASSWORDS:-/etc/souk/databases}"/*; do
    psql -v ON_ERROR_STOP=1 -v name="$(basename "$file")" -v password="$(cat "$file")" \
        --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
done
