#!/bin/sh
# Run once by the database's image: the application's role, which owns nothing.
set -eu
psql --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --set=password="$APP_PASSWORD" <<'SQL'
CREATE ROLE orchestrator_app LOGIN PASSWORD :'password';
SQL
