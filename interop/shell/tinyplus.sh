#!/usr/bin/env bash
# tinyplus with curl: the token comes back in the query of the redirect, and goes to the API with or without a scheme.
# shellcheck source=interop/shell/checks.sh
source "$(dirname "${BASH_SOURCE[0]}")/checks.sh"

base=$(surface tinyplus)
id=$(client tinyplus client_id)
redirect_uri=$(client tinyplus redirect_uri)

authorize() { echo "$base/oauth/authorize?response_type=$1&client_id=$id&redirect_uri=$(encode "$redirect_uri")&scope=$2&state=$3"; }

landed=$(person "$(authorize token readwrite 'a%2Fb')")
access=$(parameter access_token "$landed")
check "tinyplus curl: the token comes back in the query, with the state" "$landed" \
  "$redirect_uri?token_type=Bearer&expires_in=3600&access_token=$access&state=a%2Fb"

ask --header "Authorization: Bearer $access" "$base/api/me"
check "tinyplus curl: the API takes it as a bearer token" "$status" 200 "$(member .preferred_username)" "$PERSON_USERNAME"
ask --header "Authorization: $access" "$base/api/me"
check "tinyplus curl: and bare" "$status" 200 "$(member .preferred_username)" "$PERSON_USERNAME"
ask --header "Authorization: ${access}x" "$base/api/me"
check "tinyplus curl: one that was never given is invalid_token" "$status" 401 "$(member .error)" invalid_token

landed=$(person --deny "$(authorize token read no)")
check "tinyplus curl: who says no sends access_denied back" \
  "$(parameter error "$landed")" access_denied "$(parameter state "$landed")" no

ask "$(authorize code read s)"
landed=$(header location)
check "tinyplus curl: a code is not on offer" "$(shape "$status" '30[23]')" right \
  "${landed%%\?*}" "$redirect_uri" "$(parameter error "$landed")" unsupported_response_type
