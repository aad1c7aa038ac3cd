#!/usr/bin/env python3
"""A web application with "Sign in with Grantry", in nothing but the Python standard library.

    ISSUER=https://auth.example.com CLIENT_ID=… CLIENT_SECRET=… python3 app.py

Then open http://127.0.0.1:8910/. Register http://127.0.0.1:8910/callback as the client's redirect URI.
"""

import base64
import hashlib
import hmac
import html
import http.server
import json
import os
import secrets
import urllib.error
import urllib.parse
import urllib.request

ISSUER = os.environ["ISSUER"]
CLIENT_ID = os.environ["CLIENT_ID"]
CLIENT_SECRET = os.environ["CLIENT_SECRET"]
REDIRECT_URI = os.environ.get("REDIRECT_URI", "http://127.0.0.1:8910/callback")


def fetch(url, form=None, headers=None):
    """One JSON request; a form makes it a POST."""
    data = urllib.parse.urlencode(form).encode() if form else None
    with urllib.request.urlopen(urllib.request.Request(url, data, headers or {}), timeout=10) as response:
        return json.load(response)


SERVER = fetch(f"{ISSUER}/.well-known/oauth-authorization-server")


def authorization(state, verifier):
    """Where to send the browser (RFC 6749 section 4.1.1, with the PKCE of RFC 7636)."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {"response_type": "code", "client_id": CLIENT_ID, "redirect_uri": REDIRECT_URI, "scope": "profile email",
             "state": state, "code_challenge": challenge, "code_challenge_method": "S256"}
    return f"{SERVER['authorization_endpoint']}?{urllib.parse.urlencode(query)}"


def signed_in(query, cookie):
    """The person behind a callback; refuses one that this browser did not ask for (RFC 9700 section 4.7)."""
    state, _, verifier = cookie.partition(".")
    if not state or not hmac.compare_digest(query.get("state", ""), state):
        raise ValueError("This sign-in was not started here.")
    if query.get("iss") != SERVER["issuer"]:
        raise ValueError("The answer is from another server.")
    if "error" in query:
        raise ValueError(f"The server said {query['error']}.")
    form = {"grant_type": "authorization_code", "code": query["code"], "redirect_uri": REDIRECT_URI,
            "code_verifier": verifier, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    tokens = fetch(SERVER["token_endpoint"], form)
    return fetch(SERVER["userinfo_endpoint"], headers={"Authorization": f"Bearer {tokens['access_token']}"})


class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/login":
            state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
            # State and verifier stay with this browser; over https add `; Secure`.
            self.answer(302, "", {"Location": authorization(state, verifier),
                                  "Set-Cookie": f"sign-in={state}.{verifier}; HttpOnly; SameSite=Lax; Path=/"})
        elif url.path == "/callback":
            cookies = dict(part.strip().partition("=")[::2] for part in self.headers.get("Cookie", "").split(";"))
            try:
                person = signed_in(dict(urllib.parse.parse_qsl(url.query)), cookies.get("sign-in", ""))
            except (ValueError, KeyError, urllib.error.HTTPError) as why:
                self.answer(400, f"<p>{html.escape(str(why))}</p>")
            else:
                name = html.escape(f"{person['name']} ({person['preferred_username']})")
                self.answer(200, f"<p>Hello, {name}.</p>", {"Set-Cookie": "sign-in=; Max-Age=0; Path=/"})
        else:
            self.answer(200, '<p><a href="/login">Sign in</a></p>')

    def answer(self, status, body, headers=None):
        self.send_response(status)
        for name, value in {"Content-Type": "text/html; charset=utf-8", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        """Silent: the address of a callback holds the code."""


if __name__ == "__main__":
    address = urllib.parse.urlsplit(REDIRECT_URI)
    site = http.server.ThreadingHTTPServer((address.hostname, address.port), Site)
    print(f"Open http://{address.netloc}/", flush=True)
    site.serve_forever()
