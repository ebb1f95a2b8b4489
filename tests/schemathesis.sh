#!/usr/bin/env bash
# Asks the service, by its own document, for whatever a client could send, rightly and wrongly, and
# holds its answers against that document. Needs Python; MAPAE_E2E_BIN names the binary.
set -euo pipefail
binary=$(realpath "${MAPAE_E2E_BIN:?names the binary under test}")
requirements=$(realpath "$(dirname "$0")/schemathesis/requirements.txt")
folder=$(mktemp -d)
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --requirement "$requirements"

cd "$folder"
unset MAPAE_E2E_BIN MAPAE_TEST_REQUIRE
# Many messages go to the few addresses of the examples.
MAPAE_SERVER__LISTEN=127.0.0.1:0 MAPAE_VERIFICATION__CONTACT_SENDS=1000 "$binary" serve 2>log &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; rm -rf "$folder"' EXIT
for _ in $(seq 100); do
    origin=$(grep -o 'listening on http://[0-9.:]*' log | cut -d ' ' -f 3) && break
    sleep 0.1
done

"$folder/venv/bin/schemathesis" run "$origin/openapi.json" \
    --phases examples,coverage,fuzzing,stateful --max-examples 40 --workers 2 --seed 1 \
    --exclude-path /dev/inbox/messages --suppress-health-check all \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,negative_data_rejection,unsupported_method

if grep -q panicked log; then
    echo 'the service panicked' >&2
    exit 1
fi
