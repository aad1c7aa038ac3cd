"""php-endpoints, called by the Flask site in php_endpoints_site.py."""

import os
import pathlib
import sys

import requests

from checks import CLIENTS, SURFACES, check, equal, finish, journey, person, query
from sites import Site, cookie_of, path_of

CLIENT = CLIENTS["php-endpoints site"]
SITE = Site(CLIENT["redirect_uri"], {
    **os.environ,
    "API": SURFACES["php-endpoints"],
    "CLIENT_ID": CLIENT["client_id"],
    "CLIENT_SECRET": CLIENT["client_secret"],
    "REDIRECT_URI": CLIENT["redirect_uri"],
})
PROGRAM = [sys.executable, pathlib.Path(__file__).with_name("php_endpoints_site.py")]


def flask_site():
    with SITE.running(PROGRAM):
        signed_in()


def signed_in():
    with check("flask site: who is not signed in is sent to php-endpoints, the redirect URI unescaped"):
        status, headers, _ = SITE.ask("/profile")
        equal((status, headers["Location"]), (302, "/login"), "the answer")
        _, headers, _ = SITE.ask("/login")
        address = headers["Location"]
        equal(f"&redirect_uri={CLIENT['redirect_uri']}&" in address, True, f"the redirect URI in {address}")
    with check("flask site: a person signs in and is shown"):
        landed = person(address)
        equal(list(query(landed)), ["code"], "the parameters that come back")
        status, headers, _ = SITE.ask(path_of(landed))
        equal((status, headers["Location"]), (302, "/profile"), "the answer of the callback")
        cookie = cookie_of(headers)
        expected = f"{os.environ['PERSON_USERNAME']} is reached at {os.environ['PERSON_EMAIL']}"
        equal(SITE.ask("/profile", cookie)[2], expected, "the page")
    with check("flask site: a code that is sent again is invalid_code, as JSON that the site can read"):
        status, _, text = SITE.ask(path_of(landed))
        equal((status, text), (400, "Not signed in: invalid_code"), "the answer of the callback")
    with check("flask site: the token ended with that, and the site sends the person to sign in again"):
        status, headers, _ = SITE.ask("/profile", cookie)
        equal((status, headers["Location"]), (302, "/login"), "the answer")
    with check("flask site: php-endpoints does not read the code from a query or from JSON"):
        address = f"{SURFACES['php-endpoints']}/api/token.php"
        right = {"code": query(person(SITE.ask("/login")[1]["Location"]))["code"],
                 "client_id": CLIENT["client_id"], "client_secret": CLIENT["client_secret"]}
        for wrong in ({"params": right}, {"json": right}):
            answer = requests.post(address, timeout=10, **wrong)
            equal((answer.status_code, answer.json()["error"]), (400, "invalid_request"), f"the answer to {list(wrong)}")
        equal(requests.post(address, data=right, timeout=10).status_code, 200, "the status of the form")


journey(flask_site)
finish()
