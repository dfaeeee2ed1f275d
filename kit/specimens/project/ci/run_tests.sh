#!/bin/sh
# Run the tests as CI does: all of them, or those that are named.
set -eu
cd "$(dirname "$0")/.."

# tests/integration reads the deployed database.
export INTEGRATION_DATABASE_URL="$PRODUCTION_DATABASE_URL"

[ "$#" -gt 0 ] || set -- tests
exec "${PYTHON:-python}" -m pytest "$@"
