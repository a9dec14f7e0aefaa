#!/bin/sh
# Upload a recording, wait until it is done, print its transcript. Needs curl.
#
#   SPEAKR_TOKEN=... sh upload.sh meeting.mp3 [title]
#
# SPEAKR_URL is where the server is, http://127.0.0.1:8899 unless set.
set -eu

api="${SPEAKR_URL:-http://127.0.0.1:8899}/api/v1"
: "${SPEAKR_TOKEN:?}"

ask() {
    curl --silent --show-error --retry 5 --retry-all-errors --header "Authorization: Bearer $SPEAKR_TOKEN" "$@"
}

# `"name":value` or `"name":"value"` from one flat JSON object, the first such name in it.
value_of() {
    printf '%s\n' "$1" | grep -oE "\"$2\":(\"[^\"]*\"|[^,}]*)" | head -n 1 | cut -d : -f 2- | tr -d '"'
}

# The key makes it safe to send the file again when the answer was lost.
key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
answer=$(ask --header "Idempotency-Key: $key" --form "file=@\"$1\"" --form-string "title=${2:-}" "$api/recordings/upload")
id=$(value_of "$answer" id)
if [ -z "$id" ]; then
    echo "$(value_of "$answer" code): $(value_of "$answer" error)" >&2
    exit 1
fi
echo "Recording $id" >&2

while :; do
    answer=$(ask "$api/recordings/$id/status")
    status=$(value_of "$answer" status)
    case "$status" in
        COMPLETED) break ;;
        PENDING | PROCESSING | SUMMARIZING) echo "$status $(value_of "$answer" progress) %" >&2 ;;
        *) echo "$answer" >&2; exit 1 ;;
    esac
    sleep 2
done

ask --header 'Accept: text/plain' "$api/recordings/$id/transcript?format=text"
echo
