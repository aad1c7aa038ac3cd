#!/usr/bin/env bash
# paced with curl: OAuth as the RFCs have it, and a personal token that needs none of it.
# shellcheck source=interop/shell/checks.sh
source "$(dirname "${BASH_SOURCE[0]}")/checks.sh"

base=$(surface paced)
id=$(client paced client_id) secret=$(client paced client_secret)
redirect_uri=$(client paced redirect_uri)

me() { ask --header "Authorization: Bearer $1" "$base/api/v1/me"; }
me "$PERSONAL_TOKEN"
check "paced curl: a personal token names its owner" "$status" 200 "$(shape "$PERSONAL_TOKEN" 'pt_secret_[0-9A-Za-z]+')" right \
  "$(names .)" "id name email" "$(member .email)" "$PERSON_EMAIL"
me "${PERSONAL_TOKEN}x"
check "paced curl: one that is not quite it is invalid_token" "$status" 401 "$(member .error)" invalid_token \
  "$(shape "$(header WWW-Authenticate)" 'Bearer.*')" right

landed=$(person "$base/oauth/authorize?client_id=$id&redirect_uri=$redirect_uri&response_type=code")
code=$(parameter code "$landed")
check "paced curl: the browser comes back with a code, and nothing else" "$landed" "$redirect_uri?code=$code"

exchange() {
  ask --request POST "$base/oauth/token" --header 'Accept: application/json' --data "code=$code" --data "client_id=$id" \
    --data "client_secret=$secret" --data grant_type=authorization_code --data-urlencode "redirect_uri=$redirect_uri"
}
exchange
access=$(member .access_token) refresh=$(member .refresh_token)
check "paced curl: the code is exchanged for four members" "$status" 200 \
  "$(names .)" "access_token refresh_token expires_in token_type" "$(member .expires_in)" 7200 "$(member .token_type)" bearer

me "$access"
check "paced curl: the API knows the person" "$status" 200 "$(member .email)" "$PERSON_EMAIL"

renew() {
  ask --request POST "$base/oauth/token" --header 'Accept: application/json' --data "refresh_token=$refresh" \
    --data grant_type=refresh_token --data "client_id=$id" --data "client_secret=$1"
}
renew "$secret"
renewed=$(member .access_token)
check "paced curl: a refresh answers alike, with the same refresh token" "$status" 200 \
  "$(names .)" "access_token refresh_token expires_in token_type" "$(member .refresh_token)" "$refresh"
renew "$secret"
check "paced curl: which works again, as the original" "$status" 200 "$(member .refresh_token)" "$refresh"
me "$renewed"
check "paced curl: the new access token works" "$status" 200
renew wrong
check "paced curl: a wrong secret is invalid_client" "$status" 401 "$(member .error)" invalid_client

exchange
check "paced curl: a code that is sent again is invalid_grant" "$status" 400 "$(member .error)" invalid_grant
