#!/usr/bin/env bash
# Signs somebody in from a terminal, with curl and openssl, and prints who it is.
#
#   ISSUER=https://auth.example.com CLIENT_ID=… CLIENT_SECRET=… ./sign-in.sh
#
# Open the address that it prints, sign in, and paste the address that the browser ends on: nothing needs to listen there.
# Register http://127.0.0.1:8910/callback as the client's redirect URI.
set -euo pipefail
export LC_ALL=C

: "${ISSUER:?}" "${CLIENT_ID:?}" "${CLIENT_SECRET:?}"
REDIRECT_URI=${REDIRECT_URI:-http://127.0.0.1:8910/callback}

random() { openssl rand 32 | base64url; }
base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

# One character at a time, as RFC 3986 has it, so that any redirect URI or state survives.
encode() {
  rest=$1
  while [ -n "$rest" ]; do
    tail=${rest#?}
    head=${rest%"$tail"}
    case $head in
      [a-zA-Z0-9._~-]) printf %s "$head" ;;
      *) printf '%%%02X' "'$head" ;;
    esac
    rest=$tail
  done
}

decode() { printf '%b' "$(printf %s "$1" | sed 's/+/ /g; s/%/\\x/g')"; }

# parameter NAME ADDRESS: one decoded value of its query.
parameter() { decode "$(printf %s "${2#*\?}" | tr '&' '\n' | sed -n "s/^$1=//p" | head -n 1)"; }

# member NAME: a string of a flat JSON object on standard input.
member() { sed -n "s/.*\"$1\" *: *\"\([^\"]*\)\".*/\1/p"; }

# Secrets go to curl on its standard input, where no process list shows them.
post() { curl --silent --show-error --max-time 10 --data @- "$1"; }

state=$(random)
verifier=$(random)
challenge=$(printf %s "$verifier" | openssl dgst -sha256 -binary | base64url)

echo "Open this address in a browser:" >&2
echo "$ISSUER/oauth/authorize?response_type=code&client_id=$(encode "$CLIENT_ID")&redirect_uri=$(encode "$REDIRECT_URI")\
&scope=profile%20email&state=$state&code_challenge=$challenge&code_challenge_method=S256"
echo "Then paste the address that it ends on:" >&2
read -r landed

[ "$(parameter state "$landed")" = "$state" ] || { echo "This sign-in was not started here." >&2; exit 1; }
[ "$(parameter iss "$landed")" = "$ISSUER" ] || { echo "The answer is from another server." >&2; exit 1; }
refusal=$(parameter error "$landed")
[ -z "$refusal" ] || { echo "The server said $refusal." >&2; exit 1; }

answer=$(printf 'grant_type=authorization_code&code=%s&redirect_uri=%s&code_verifier=%s&client_id=%s&client_secret=%s' \
  "$(encode "$(parameter code "$landed")")" "$(encode "$REDIRECT_URI")" "$verifier" \
  "$(encode "$CLIENT_ID")" "$(encode "$CLIENT_SECRET")" | post "$ISSUER/oauth/token")
token=$(printf %s "$answer" | member access_token)
[ -n "$token" ] || { echo "No token: $answer" >&2; exit 1; }

printf 'header = "Authorization: Bearer %s"\n' "$token" |
  curl --silent --show-error --fail --max-time 10 --config - "$ISSUER/oauth/userinfo"
echo

printf 'token=%s&client_id=%s&client_secret=%s' \
  "$(encode "$token")" "$(encode "$CLIENT_ID")" "$(encode "$CLIENT_SECRET")" | post "$ISSUER/oauth/revoke" >/dev/null
