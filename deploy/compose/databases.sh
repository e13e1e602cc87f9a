#!/bin/sh
# Gives each service a role and a database of its own, and nobody else's. It runs at every start and changes only what
# is not so yet: a service that is new gets its database, and a role whose password was made anew gets that.
set -eu
PGPASSWORD=$(cat /run/secrets/password)
export PGPASSWORD PGHOST=postgres PGUSER=postgres PGDATABASE=postgres

for file in /run/secrets/roles/*; do
    psql -q -v ON_ERROR_STOP=1 -v name="${file##*/}" -v password="$(cat "$file")" <<'SQL'
SELECT format('CREATE ROLE %I LOGIN', :'name') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
ALTER ROLE :"name" PASSWORD :'password';
SELECT format('CREATE DATABASE %1$I OWNER %1$I', :'name')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
done
psql -q -v ON_ERROR_STOP=1 -c 'REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC'
