"""Authlib at tinyemail: a library that posts a form, where the document shows a query, is understood as well."""

import os

# The surface is plain HTTP on loopback; Authlib refuses that unless told otherwise.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests  # noqa: E402
from authlib.integrations.base_client.errors import OAuthError  # noqa: E402
from authlib.integrations.requests_client import OAuth2Session  # noqa: E402

from checks import CLIENTS, SURFACES, check, equal, finish, journey, person, query  # noqa: E402

CLIENT, SURFACE = CLIENTS["tinyemail"], SURFACES["tinyemail"]
OAUTH = f"{SURFACE}/api/authorization-server/oauth"
ME = f"{SURFACE}/api/me"


def session(secret):
    return OAuth2Session(
        CLIENT["client_id"], secret, scope="import_customers", redirect_uri=CLIENT["redirect_uri"],
        token_endpoint_auth_method="client_secret_post", default_timeout=10,
    )


def form_posted():
    oauth = session(CLIENT["client_secret"])
    with check("authlib tinyemail: the redirect carries a code and the state, which the document does not mention"):
        url, state = oauth.create_authorization_url(f"{OAUTH}/authorize")
        landed = person(url)
        equal(list(query(landed)), ["code", "state"], "the parameters")
        equal(query(landed)["state"], state, "state")
    with check("authlib tinyemail: a wrong secret is invalid_client, and the code outlives it"):
        try:
            session("wrong").fetch_token(f"{OAUTH}/token", authorization_response=landed, state=state)
            raise AssertionError("a token was given")
        except OAuthError as refused:
            equal(refused.error, "invalid_client", "error")
    with check("authlib tinyemail: the code is exchanged by a form"):
        token = dict(oauth.fetch_token(f"{OAUTH}/token", authorization_response=landed, state=state))
        equal((token["token_type"], token["scope"]), ("Bearer", "import_customers"), "type and scope")
    with check("authlib tinyemail: the API knows the person"):
        equal(oauth.get(ME).json()["preferred_username"], os.environ["PERSON_USERNAME"], "the person")
    with check("authlib tinyemail: a refresh by a form keeps the refresh token"):
        renewed = oauth.refresh_token(f"{OAUTH}/token")
        equal(renewed["access_token"] != token["access_token"], True, "a new access token")
        equal(renewed["refresh_token"], token["refresh_token"], "the refresh token")
        equal(oauth.get(ME).status_code, 200, "the status of the API")
    with check("authlib tinyemail: the same parameter in query and form is refused, if the two differ"):
        form = {"grant_type": "refresh_token", "refresh_token": token["refresh_token"], "client_id": CLIENT["client_id"],
                "client_secret": CLIENT["client_secret"]}
        answer = requests.post(f"{OAUTH}/token?client_id=another", data=form, timeout=10)
        equal((answer.status_code, answer.json()["error"]), (400, "invalid_request"), "the answer")


journey(form_posted)
finish()
