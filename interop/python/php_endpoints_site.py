"""A small Flask site that signs people in at php-endpoints, as one is written from that API's own page.

It keeps the token in its session, asks for the profile each time that it is shown, and sends the browser to sign in again
when the token is no longer good.
"""

import os
import secrets
import urllib.parse

import flask
import loopback  # noqa: F401
import requests
from werkzeug.serving import make_server

API, REDIRECT_URI = os.environ["API"], os.environ["REDIRECT_URI"]
CLIENT = {"client_id": os.environ["CLIENT_ID"], "client_secret": os.environ["CLIENT_SECRET"]}
TIMEOUT_S = 10

site = flask.Flask(__name__)
site.secret_key = secrets.token_bytes(32)


@site.get("/login")
def login():
    # Joined by hand: nothing in the redirect URI is escaped.
    asked = {"client_id": CLIENT["client_id"], "redirect_uri": REDIRECT_URI, "response_type": "code"}
    return flask.redirect(f"{API}/api/authorize.php?" + "&".join("=".join(pair) for pair in asked.items()))


@site.get("/callback")
def callback():
    form = {"code": flask.request.args.get("code", ""), **CLIENT}
    answer = requests.post(f"{API}/api/token.php", data=form, timeout=TIMEOUT_S).json()
    if "access_token" not in answer:
        return f"Not signed in: {answer['error']}", 400
    flask.session["token"] = answer["access_token"]
    return flask.redirect("/profile")


@site.get("/profile")
def profile():
    token = flask.session.get("token")
    if token is None:
        return flask.redirect("/login")
    answer = requests.get(f"{API}/api/userinfo.php", headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT_S)
    if answer.status_code != 200:
        del flask.session["token"]
        return flask.redirect("/login")
    person = answer.json()
    return f"{person['username']} is reached at {person['email']}"


if __name__ == "__main__":
    where = urllib.parse.urlsplit(REDIRECT_URI)
    server = make_server(where.hostname, where.port, site)
    print(f"Open http://{where.netloc}/", flush=True)
    server.serve_forever()
