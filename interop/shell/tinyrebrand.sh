#!/usr/bin/env bash
# tinyrebrand with curl: JSON in, {status, code, message, data} out.
# shellcheck source=interop/shell/checks.sh
source "$(dirname "${BASH_SOURCE[0]}")/checks.sh"

base=$(surface tinyrebrand)

# post PATH NAME=VALUE…: a JSON object of strings.
post() {
  local path=$1
  shift
  ask --request POST "$base$path" --header 'Content-Type: application/json' \
    --data "$(jq -n '[$ARGS.positional[] | capture("^(?<key>[^=]*)=(?<value>.*)")] | from_entries' --args "$@")"
}
me() { ask --header "Authorization: Bearer $1" "$base/api/user/me"; }
envelope() { names . | tr -d '\n'; }

sign_in() { post /api/oauth/token grant_type=password client_id=web-client username="$PERSON_EMAIL" password="$1"; }
sign_in wrong
check "tinyrebrand curl: a wrong password is INVALID_CREDENTIALS" "$status" 401 \
  "$(envelope)" "status code message meta" "$(member .status)" 401 "$(member .code)" INVALID_CREDENTIALS
post /api/oauth/token grant_type=password client_id=web-client username="$PERSON_EMAIL"
check "tinyrebrand curl: a missing member is a VALIDATION_ERROR that names it" "$status" 400 \
  "$(member .code)" VALIDATION_ERROR "$(member '.meta.errors[0].name')" password

sign_in "$PERSON_PASSWORD"
access=$(member .data.access_token) refresh=$(member .data.refresh_token)
check "tinyrebrand curl: a person signs in with a password" "$status" 200 \
  "$(envelope)" "status code message data" "$(member .message)" "Login successful" \
  "$(names .data)" "access_token refresh_token token_type expires_in scope user limits" \
  "$(shape "$access" 'at_[0-9a-f]{64}')" right "$(shape "$refresh" 'rt_[0-9a-f]{64}')" right \
  "$(member .data.scope)" "user:read links:read links:write" "$(member .data.user.email)" "$PERSON_EMAIL" \
  "$(member '.data.limits | tojson')" '{"domains":{"used":0,"limit":3},"links":{"used":0,"limit":500}}'

me "$access"
check "tinyrebrand curl: the API knows the person, and counts" "$status" 200 "$(member .data.email)" "$PERSON_EMAIL" \
  "$(header X-RateLimit-Limit)" 60

post /api/oauth/introspect token="$access"
check "tinyrebrand curl: introspection says what the token is" "$status" 200 \
  "$(names .data)" "active token_type scope client_id username exp" "$(member .data.active)" true \
  "$(member .data.client_id)" web-client

post /api/oauth/token grant_type=refresh_token client_id=web-client refresh_token="$refresh"
renewed=$(member .data.access_token)
check "tinyrebrand curl: a refresh rotates both tokens" "$status" 200 "$(member .message)" "Token refreshed successfully" \
  "$([[ $renewed != "$access" ]] && echo new)" new "$([[ $(member .data.refresh_token) != "$refresh" ]] && echo new)" new

post /api/oauth/revoke token="$renewed" token_type_hint=access_token
check "tinyrebrand curl: the token is revoked" "$status" 200 "$(member .data.revoked)" true
me "$renewed"
check "tinyrebrand curl: and the API refuses it" "$status" 401 "$(member .code)" INVALID_OR_EXPIRED_TOKEN
post /api/oauth/introspect token="$renewed"
check "tinyrebrand curl: introspection says inactive, and nothing else" "$status" 200 "$(member '.data | tojson')" '{"active":false}'

# Sign in with Google: an ID token that Google gave the page. google.py stands in for Google.
id_token() {
  ask --get "$GOOGLE/id-token" --data-urlencode "aud=$1" --data-urlencode "sub=108" \
    --data-urlencode "email=new-person@gmail.com" --data-urlencode "name=New Person"
  member .id_token
}
token=$(id_token "$GOOGLE_CLIENT_ID")
post /api/oauth/google token="$token" client_id=web-client
access=$(member .data.access_token) refresh=$(member .data.refresh_token)
check "tinyrebrand curl: an ID token of Google becomes tokens of this server" "$status" 200 \
  "$(envelope)" "status code message data" "$(member .message)" "Google login successful" \
  "$(names .data)" "access_token refresh_token token_type expires_in scope user" \
  "$(shape "$access" 'at_google_[0-9a-f]{64}')" right "$(shape "$refresh" 'rt_google_[0-9a-f]{64}')" right \
  "$(names .data.user)" "id email name" "$(member .data.user.email)" "new-person@gmail.com"
me "$access"
check "tinyrebrand curl: and they work" "$status" 200 "$(member .data.name)" "New Person"
post /api/oauth/google token="$token" client_id=web-client
check "tinyrebrand curl: an ID token is taken once" "$status" 401 "$(member .code)" INVALID_OR_EXPIRED_TOKEN
post /api/oauth/google token="$(id_token somebody-else)" client_id=web-client
check "tinyrebrand curl: one that was made for somebody else is not" "$status" 401 "$(member .code)" INVALID_OR_EXPIRED_TOKEN

# The code flow: an API call that says where the browser is to go, then the pages, then JSON again.
id=$(client "tinyrebrand site" client_id) secret=$(client "tinyrebrand site" client_secret)
redirect_uri=$(client "tinyrebrand site" redirect_uri)
ask --request GET "$base/api/oauth/authorize?response_type=code&client_id=$id&redirect_uri=$(encode "$redirect_uri")\
&scope=user%3Aread%20links%3Aread&state=random_state"
pages=$(member .data.redirect_url)
check "tinyrebrand curl: authorize answers with the address of the pages, twice" "$status" 302 \
  "$(member .message)" "Redirect to authorization page" "$(header Location)" "$pages"

landed=$(person "$pages")
code=$(parameter code "$landed")
check "tinyrebrand curl: the browser comes back with a code and the state" "$landed" "$redirect_uri?code=$code&state=random_state"
post /api/oauth/token grant_type=authorization_code client_id="$id" client_secret="$secret" code="$code" \
  redirect_uri="$redirect_uri"
access=$(member .data.access_token)
check "tinyrebrand curl: the code is exchanged" "$status" 200 "$(member .data.scope)" "user:read links:read"
me "$access"
check "tinyrebrand curl: its token works" "$status" 200 "$(member .data.name)" "$PERSON_NAME"
