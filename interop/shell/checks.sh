# What the shell programs here share: one request with curl, one line for each check, and the person. Sourced, not run.
# shellcheck shell=bash disable=SC2034
set -uo pipefail
export LC_ALL=C

answers=$(mktemp -d)
trap 'rm -rf "$answers"' EXIT
failed=0

# Where a surface is, and a member of a client, as `run` hands them on.
surface() { jq -r --arg name "$1" '.[$name]' <<<"$SURFACES"; }
client() { jq -r --arg name "$1" --arg member "$2" '.[$name][$member]' <<<"$CLIENTS"; }

# ask CURL-OPTION…: one request; leaves $status, $body, $reason (of a redirect: where it leads) and `header NAME`.
ask() {
  status=$(curl --silent --show-error --max-time 20 --dump-header "$answers/headers" --output "$answers/body" \
    --write-out '%{http_code}' "$@") || status="no answer"
  body=$(cat "$answers/body" 2>/dev/null)
}

# header NAME: a header of the last answer.
header() { tr -d '\r' <"$answers/headers" | sed -n "s/^$1: //Ip" | head -n 1; }

# member PATH: a member of the last answer, such as .data.scope.
member() { jq -r "$1" <<<"$body" 2>&1; }

# names PATH: the names of the members of an object of the last answer, in their order.
names() { jq -r "$1 | keys_unsorted | join(\" \")" <<<"$body" 2>&1; }

# parameter NAME ADDRESS: one value of an address's query, as it stands there.
parameter() { printf %s "${2#*\?}" | tr '&' '\n' | sed -n "s/^$1=//p" | head -n 1; }

encode() { jq -rn --arg text "$1" '$text | @uri'; }

# shape TEXT PATTERN: "right" if the whole text is like the pattern, else the text.
shape() { if [[ $1 =~ ^$2$ ]]; then echo right; else echo "$1"; fi; }

# check NAME [ACTUAL EXPECTED]…: prints `ok NAME`, or `not ok NAME: why` and ends the program: what comes after builds on it.
check() {
  local name=$1
  shift
  while (($#)); do
    if [[ $1 != "$2" ]]; then
      echo "not ok $name: it is '${1//$'\n'/ }', expected '$2'"
      echo "the last answer: $status $body" >&2
      exit 1
    fi
    shift 2
  done
  echo "ok $name"
}

# person ADDRESS: sends the person through the pages; prints the address that leads back.
person() { "$PERSON" "$@"; }
