"""requests-oauthlib at paced and php-endpoints, as it is: with grant type, redirect URI and state, documented or not."""

import os

# The surfaces are plain HTTP on loopback; oauthlib refuses that unless told otherwise.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

from oauthlib.oauth2.rfc6749.errors import CustomOAuth2Error, InvalidClientError, InvalidGrantError  # noqa: E402
from requests_oauthlib import OAuth2Session  # noqa: E402

from checks import CLIENTS, SURFACES, check, equal, finish, journey, person, query  # noqa: E402


def refused(kind, call):
    """The error that oauthlib makes of a refusal."""
    try:
        call()
    except kind as why:
        return why
    raise AssertionError("it was not refused")


class Signed:
    """Somebody who comes back from the pages of a surface to a client of it."""

    def __init__(self, surface, authorize, token):
        self.name = f"requests-oauthlib {surface}"
        self.client, base = CLIENTS[surface], SURFACES[surface]
        self.authorize, self.token_address = base + authorize, base + token
        self.oauth = OAuth2Session(self.client["client_id"], redirect_uri=self.client["redirect_uri"])
        self.landed = None

    def come_back(self):
        with check(f"{self.name}: the redirect carries a code and the state"):
            url, state = self.oauth.authorization_url(self.authorize)
            self.landed = person(url)
            equal(list(query(self.landed)), ["code", "state"], "the parameters")
            equal(query(self.landed)["state"], state, "state")
        with check(f"{self.name}: a wrong secret is invalid_client, and the code outlives it"):
            refused(InvalidClientError, lambda: self.exchange("wrong"))

    def exchange(self, secret=None):
        return dict(self.oauth.fetch_token(
            self.token_address, authorization_response=self.landed, include_client_id=True, timeout=10,
            client_secret=secret or self.client["client_secret"],
        ))


def php_endpoints():
    signed = Signed("php-endpoints", "/api/authorize.php", "/api/token.php")
    signed.come_back()
    with check(f"{signed.name}: the code is exchanged"):
        token = signed.exchange()
        equal(set(token), {"access_token", "token_type", "expires_in", "expires_at"}, "the members, and oauthlib's own")
    with check(f"{signed.name}: userinfo names the person"):
        claims = signed.oauth.get(f"{SURFACES['php-endpoints']}/api/userinfo.php", timeout=10).json()
        equal(claims["full_name"], os.environ["PERSON_NAME"], "full_name")
    with check(f"{signed.name}: a code that is sent again is invalid_code"):
        equal(refused(CustomOAuth2Error, signed.exchange).error, "invalid_code", "error")


def paced():
    signed = Signed("paced", "/oauth/authorize", "/oauth/token")
    signed.come_back()
    with check(f"{signed.name}: the code is exchanged"):
        token = signed.exchange()
        equal((token["token_type"], token["expires_in"]), ("bearer", 7200), "type and lifetime")
    with check(f"{signed.name}: the API names the person"):
        equal(me(signed).json()["email"], os.environ["PERSON_EMAIL"], "email")
    with check(f"{signed.name}: a refresh keeps the refresh token"):
        words = {name: signed.client[name] for name in ("client_id", "client_secret")}
        renewed = signed.oauth.refresh_token(signed.token_address, timeout=10, **words)
        equal(renewed["access_token"] != token["access_token"], True, "a new access token")
        equal(renewed["refresh_token"], token["refresh_token"], "the refresh token")
        equal(me(signed).status_code, 200, "the status of the API")
    with check(f"{signed.name}: a code that is sent again is invalid_grant"):
        refused(InvalidGrantError, signed.exchange)


def me(signed):
    return signed.oauth.get(f"{SURFACES['paced']}/api/v1/me", timeout=10)


journey(php_endpoints)
journey(paced)
finish()
