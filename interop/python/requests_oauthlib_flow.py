"""requests-oauthlib (and oauthlib below it): a public client, a confidential client, client_credentials."""

import os

# The issuer is plain HTTP on loopback; oauthlib refuses that unless told otherwise.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests  # noqa: E402
from oauthlib.oauth2 import BackendApplicationClient  # noqa: E402
from requests_oauthlib import OAuth2Session  # noqa: E402

from checks import CLIENTS, ISSUER, SCOPE, check, equal, expect_person, finish, journey, person, query  # noqa: E402

AUTHORIZE, TOKEN = f"{ISSUER}/oauth/authorize", f"{ISSUER}/oauth/token"
USERINFO, REVOKE = f"{ISSUER}/oauth/userinfo", f"{ISSUER}/oauth/revoke"


def code_flow(name, client_name, fetch, refresh):
    """`fetch` and `refresh`: how requests-oauthlib is told, in each call, who the client is."""
    client = CLIENTS[client_name]
    oauth = OAuth2Session(client["client_id"], redirect_uri=client["redirect_uri"], scope=SCOPE.split(), pkce="S256")
    with check(f"{name}: the redirect carries the state and the issuer"):
        url, state = oauth.authorization_url(AUTHORIZE)
        landed = person(url)
        equal(query(landed).get("state"), state, "state")
        equal(query(landed).get("iss"), ISSUER, "iss")
    with check(f"{name}: the code is exchanged for tokens"):
        # oauthlib raises if the state differs, and if the scope is not the one asked for.
        token = oauth.fetch_token(TOKEN, authorization_response=landed, timeout=10, **fetch)
        equal(token["token_type"].lower(), "bearer", "token_type")
    with check(f"{name}: userinfo names the person"):
        expect_person(oauth.get(USERINFO, timeout=10).json())
    with check(f"{name}: the refresh token is rotated"):
        rotated = oauth.refresh_token(TOKEN, timeout=10, **refresh)
        equal(rotated["access_token"] != token["access_token"], True, "a new access token")
        equal(rotated["refresh_token"] != token["refresh_token"], True, "a new refresh token")
    with check(f"{name}: userinfo refuses with 401 after the access token was revoked"):
        revoke(oauth, client, rotated["access_token"])
        equal(oauth.get(USERINFO, timeout=10).status_code, 401, "the status of userinfo")
    with check(f"{name}: the spent refresh token is refused once its successor was used"):
        oauth.refresh_token(TOKEN, timeout=10, **(refresh | {"refresh_token": rotated["refresh_token"]}))
        spent = {"grant_type": "refresh_token", "refresh_token": token["refresh_token"]}
        answer = requests.post(TOKEN, data=spent | parameters_of(client), timeout=10)
        equal((answer.status_code, answer.json()["error"]), (400, "invalid_grant"), "the answer")


def parameters_of(client):
    """The client's own words in a request body: all that a public client has, and RFC 6749's second form of the secret."""
    return {name: client[name] for name in ("client_id", "client_secret") if client[name]}


def revoke(oauth, client, token):
    """oauthlib writes the request of RFC 7009; the sending is left to its caller."""
    url, headers, body = oauth._client.prepare_token_revocation_request(REVOKE, token, **parameters_of(client))
    response = requests.post(url, data=body, headers=headers, timeout=10)
    equal(response.status_code, 200, "the status of the revocation")


def public():
    words = parameters_of(CLIENTS["public"])
    code_flow("requests-oauthlib public", "public", {"include_client_id": True}, words)


def basic():
    client = CLIENTS["confidential"]
    auth = {"auth": requests.auth.HTTPBasicAuth(client["client_id"], client["client_secret"])}
    code_flow("requests-oauthlib confidential, Basic", "confidential", auth, auth)


def parameters():
    words = parameters_of(CLIENTS["post"])
    fetch = {"client_secret": words["client_secret"], "include_client_id": True}
    code_flow("requests-oauthlib confidential, parameters", "post", fetch, words)


def machine():
    with check("requests-oauthlib machine: client_credentials gives a token"):
        client = CLIENTS["machine"]
        oauth = OAuth2Session(client=BackendApplicationClient(client["client_id"], scope=["links:read"]))
        token = oauth.fetch_token(TOKEN, client_secret=client["client_secret"], timeout=10)
        equal(token.scope, "links:read", "scope")


for steps in (public, basic, parameters, machine):
    journey(steps)
finish()
