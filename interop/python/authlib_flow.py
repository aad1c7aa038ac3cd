"""Authlib: a public client, a confidential client, and one whose refresh token stays the same."""

import os

# The issuer is plain HTTP on loopback; Authlib refuses that unless told otherwise.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests  # noqa: E402
from authlib.common.security import generate_token  # noqa: E402
from authlib.integrations.requests_client import OAuth2Session  # noqa: E402

from checks import CLIENTS, ISSUER, SCOPE, check, equal, expect_person, finish, journey, person, query  # noqa: E402

METADATA = requests.get(f"{ISSUER}/.well-known/oauth-authorization-server", timeout=10).json()


def session(name, **options):
    client = CLIENTS[name]
    return OAuth2Session(
        client["client_id"],
        client["client_secret"] or None,
        scope=SCOPE,
        redirect_uri=client["redirect_uri"],
        code_challenge_method="S256",
        default_timeout=10,
        **options,
    )


def sign_in(oauth, name):
    verifier = generate_token(64)
    url, state = oauth.create_authorization_url(METADATA["authorization_endpoint"], code_verifier=verifier)
    with check(f"{name}: the redirect carries the state and the issuer"):
        landed = person(url)
        equal(query(landed).get("state"), state, "state")
        equal(query(landed).get("iss"), METADATA["issuer"], "iss")
    with check(f"{name}: the code is exchanged for tokens"):
        token = oauth.fetch_token(
            METADATA["token_endpoint"], authorization_response=landed, state=state, code_verifier=verifier
        )
        equal(token["token_type"].lower(), "bearer", "token_type")
        equal(set(token["scope"].split()), set(SCOPE.split()), "scope")
    with check(f"{name}: userinfo names the person"):
        expect_person(oauth.get(METADATA["userinfo_endpoint"]).json())
    return token


def refresh(oauth, name, is_rotated=True):
    with check(f"{name}: the refresh token is {'rotated' if is_rotated else 'kept'}"):
        before = dict(oauth.token)
        after = oauth.refresh_token(METADATA["token_endpoint"])
        equal(after["access_token"] != before["access_token"], True, "a new access token")
        equal(after["refresh_token"] != before["refresh_token"], is_rotated, "a new refresh token")
        expect_person(oauth.get(METADATA["userinfo_endpoint"]).json())


def revoke(oauth, name, kind):
    with check(f"{name}: userinfo refuses with 401 after the {kind} was revoked"):
        response = oauth.revoke_token(METADATA["revocation_endpoint"], oauth.token[kind], token_type_hint=kind)
        equal(response.status_code, 200, "the status of the revocation")
        refused = oauth.get(METADATA["userinfo_endpoint"])
        equal(refused.status_code, 401, "the status of userinfo")
        equal(refused.headers["WWW-Authenticate"].split()[0], "Bearer", "the challenge")


def public():
    oauth = session("public")
    with check("authlib public: a refusal by the person comes back as access_denied"):
        url, state = oauth.create_authorization_url(
            METADATA["authorization_endpoint"], code_verifier=generate_token(64)
        )
        refusal = query(person(url, "--deny"))
        equal(refusal.get("error"), "access_denied", "error")
        equal(refusal.get("state"), state, "state")
        equal(refusal.get("iss"), METADATA["issuer"], "iss")
    sign_in(oauth, "authlib public")
    refresh(oauth, "authlib public")
    revoke(oauth, "authlib public", "refresh_token")


def confidential():
    oauth = session("confidential")
    token = sign_in(oauth, "authlib confidential")
    with check("authlib confidential: introspection says active"):
        answer = oauth.introspect_token(METADATA["introspection_endpoint"], token["access_token"]).json()
        equal(answer["active"], True, "active")
        equal(answer["client_id"], CLIENTS["confidential"]["client_id"], "client_id")
    refresh(oauth, "authlib confidential")
    last = oauth.token["access_token"]
    revoke(oauth, "authlib confidential", "access_token")
    with check("authlib confidential: introspection says inactive, and nothing else"):
        equal(oauth.introspect_token(METADATA["introspection_endpoint"], last).json(), {"active": False}, "the answer")


def reuse():
    oauth = session("reuse", token_endpoint_auth_method="client_secret_post")
    sign_in(oauth, "authlib reuse")
    refresh(oauth, "authlib reuse", is_rotated=False)
    refresh(oauth, "authlib reuse, once more", is_rotated=False)


def machine():
    with check("authlib machine: client_credentials gives a token without a refresh token"):
        client = CLIENTS["machine"]
        oauth = OAuth2Session(client["client_id"], client["client_secret"], scope="links:read", default_timeout=10)
        token = oauth.fetch_token(METADATA["token_endpoint"], grant_type="client_credentials")
        equal("refresh_token" in token, False, "a refresh token")
        answer = oauth.introspect_token(METADATA["introspection_endpoint"], token["access_token"]).json()
        equal((answer["active"], answer["scope"]), (True, "links:read"), "active and scope")


for steps in (public, confidential, reuse, machine):
    journey(steps)
finish()
