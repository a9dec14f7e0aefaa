#!/bin/sh
# Print all recordings, one page of JSON a line. Needs curl.
#
#   SPEAKR_TOKEN=... sh list_all.sh
#   SPEAKR_TOKEN=... sh list_all.sh | jq -r '.recordings[] | "\(.id)\t\(.status)\t\(.title)"'
#
# SPEAKR_URL is where the server is, http://127.0.0.1:8899 unless set.
set -eu

: "${SPEAKR_TOKEN:?}"
headers=$(mktemp)
trap 'rm -f "$headers"' EXIT

next="${SPEAKR_URL:-http://127.0.0.1:8899}/api/v1/recordings?per_page=100"
while [ -n "$next" ]; do
    curl --silent --show-error --fail --retry 5 --header "Authorization: Bearer $SPEAKR_TOKEN" --dump-header "$headers" "$next"
    # The header Link names the next page as a full address; the last page has no next one.
    next=$(tr -d '\r' <"$headers" | grep -i '^link:' | tr ',' '\n' | sed -n 's/.*<\(.*\)>; *rel="next".*/\1/p')
done
