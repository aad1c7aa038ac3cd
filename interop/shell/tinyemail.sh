#!/usr/bin/env bash
# tinyemail with curl: everything stands in the query of a POST that has no body.
# shellcheck source=interop/shell/checks.sh
source "$(dirname "${BASH_SOURCE[0]}")/checks.sh"

base=$(surface tinyemail)
oauth=$base/api/authorization-server/oauth
id=$(client tinyemail client_id) secret=$(client tinyemail client_secret)
redirect_uri=$(client tinyemail redirect_uri)

landed=$(person "$oauth/authorize?grant_type=authorization_code&response_type=code&client_id=$id\
&redirect_uri=$redirect_uri&scope=import_customers")
code=$(parameter code "$landed")
check "tinyemail curl: the browser comes back with a code, and nothing else" "$landed" "$redirect_uri?code=$code"

# The address of a wrong secret is tried first: the code must survive it.
exchange() {
  ask --request POST "$oauth/token?response_type=token&client_id=$id&client_secret=$1&code=$code\
&redirect_uri=$redirect_uri&grant_type=authorization_code"
}
exchange wrong
check "tinyemail curl: a wrong secret is invalid_client" "$status" 401 "$(member .error)" invalid_client

exchange "$secret"
access=$(member .access_token) refresh=$(member .refresh_token)
check "tinyemail curl: the code is exchanged by a query" "$status" 200 \
  "$(names .)" "access_token token_type expires_in refresh_token scope" \
  "$(shape "$access" '[0-9a-f]{64}')" right "$(member .token_type)" Bearer "$(member .scope)" import_customers

me() { ask --header "Authorization: Bearer $1" "$base/api/me"; }
me "$access"
check "tinyemail curl: the API knows whom the token speaks for" "$status" 200 \
  "$(member .preferred_username)" "$PERSON_USERNAME"

renew() {
  ask --request POST "$oauth/token?grant_type=refresh_token&refresh_token=$1&client_id=$id&client_secret=$secret"
}
renew "$refresh"
renewed=$(member .access_token)
check "tinyemail curl: a refresh gives a new access token and the same refresh token" "$status" 200 \
  "$(member .refresh_token)" "$refresh" "$([[ $renewed != "$access" ]] && echo new)" new
me "$renewed"
check "tinyemail curl: the new access token works" "$status" 200

exchange "$secret"
check "tinyemail curl: a code that is sent again is invalid_grant" "$status" 400 "$(member .error)" invalid_grant
me "$renewed"
check "tinyemail curl: and ends what it had given" "$status" 401 "$(member .error)" invalid_token
renew "$refresh"
check "tinyemail curl: the refresh token too" "$status" 400 "$(member .error)" invalid_grant
