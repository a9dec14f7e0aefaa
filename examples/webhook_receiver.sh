#!/usr/bin/env bash
# Receive Speakr's webhooks: check the signature, answer at once, drop what comes twice. Bash, openssl, coreutils.
#
# A CGI program: a web server (lighttpd, Apache, nginx with fcgiwrap) runs it for each request, with these set:
#   SPEAKR_WEBHOOK_SECRET   the secret
#   SPEAKR_WEBHOOK_FOLDER   a folder that this may write to: genuine events are appended to events.jsonl in it
set -euo pipefail -o noglob
export LC_ALL=C

oldest_seconds=300
largest_body_bytes=$((1024 * 1024))
secret=${SPEAKR_WEBHOOK_SECRET:?is not set}
folder=${SPEAKR_WEBHOOK_FOLDER:?is not set}

answer() {
  printf 'Status: %s\r\nContent-Length: 0\r\n\r\n' "$1"
  exit 0
}

# A header's number; 0 for what is none.
whole_number() { if [[ $1 =~ ^[0-9]{1,12}$ ]]; then echo "$((10#$1))"; else echo 0; fi; }

# Two texts are compared by their digests, so that the time it takes tells nothing about them.
is_same() { [[ $(sha256sum <<<"$1") == "$(sha256sum <<<"$2")" ]]; }

# Check `webhook-signature`: it covers id, time and body, so an old request cannot be sent again.
is_genuine() {
  local id=${HTTP_WEBHOOK_ID:-} sent_at=${HTTP_WEBHOOK_TIMESTAMP:-} age wanted one
  age=$(($(date +%s) - $(whole_number "$sent_at")))
  ((age <= oldest_seconds && age >= -oldest_seconds)) || return 1
  # While openssl runs, other users of this machine can see the secret in the list of processes.
  wanted=v1,$({ printf '%s.%s.' "$id" "$sent_at"; cat "$body"; } |
    openssl dgst -sha256 -hmac "$secret" -binary | base64 -w 0)
  # For a day after a rotation there are two signatures; one that fits is enough.
  for one in ${HTTP_WEBHOOK_SIGNATURE:-}; do
    if is_same "$one" "$wanted"; then return 0; fi
  done
  return 1
}

[[ ${REQUEST_METHOD:-} == POST ]] || answer '405 Method Not Allowed'
length=$(whole_number "${CONTENT_LENGTH:-}")
((length <= largest_body_bytes)) || answer '413 Content Too Large'

mkdir -p "$folder/seen"
body=$(mktemp "$folder/body.XXXXXX")
trap 'rm -f "$body"' EXIT
head -c "$length" >"$body" # the bytes as they came: read into a variable they may differ

is_genuine || answer '401 Unauthorized'

# The same id may come twice. It is marked after its event is kept: a crash in between repeats it and loses nothing.
[[ $HTTP_WEBHOOK_ID =~ ^[A-Za-z0-9-]{1,64}$ ]] || answer '400 Bad Request'
exec 9>"$folder/lock" && flock 9
if [[ ! -e $folder/seen/$HTTP_WEBHOOK_ID ]]; then
  { cat "$body" && echo; } >>"$folder/events.jsonl"
  : >"$folder/seen/$HTTP_WEBHOOK_ID"
fi
answer '200 OK'
