"""Checks of the person itself: first against pages made up here, then the second factor against the real server."""

import http.server
import os
import threading
import urllib.parse

from checks import CLIENTS, ISSUER, check, equal, finish, journey, query
from person import Person, Stuck, totp

LANDED = "http://127.0.0.1:9/callback"


class Pages(http.server.BaseHTTPRequestHandler):
    """A sign-in page, a second factor and a consent page, as plain as they can be."""

    PAGES = {
        "/": '<form><input name="q"></form><form method="post" action="/sign-in"><input type="hidden" name="csrf" value="a&amp;b">'
             '<input name="username"><input type="password" name="password"><input type="checkbox" name="stay" value="1">'
             '<button>Sign in</button></form>',
        "/otp": '<form method="post" action="/second"><input name="otp"><button name="go" value="1">Go on</button></form>',
        "/consent": '<form method="post" action="/decide"><input type="hidden" name="csrf" value="c">'
                    '<button name="decision" value="approve">Yes</button><button name="decision" value="deny">No</button></form>',
    }

    def do_GET(self):
        path = urllib.parse.urlsplit(self.path).path
        if path == "/round":
            self.go("/round")
        elif path in self.PAGES:
            self.show(self.PAGES[path])
        else:
            self.send_error(404)

    def do_POST(self):
        sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = dict(urllib.parse.parse_qsl(sent, keep_blank_values=True))
        here = f"http://localhost:{self.server.server_port}"
        if self.headers["Origin"] != here:
            self.send_error(403)
        elif self.path == "/sign-in":
            right = {"csrf": "a&b", "username": "alice", "password": "p w"}
            self.go("otp", "session=1; Secure; HttpOnly") if form == right else self.show("Wrong." + self.PAGES["/"])
        elif self.path == "/second":
            right = {"otp": totp("GEZDGNBV"), "go": "1"}
            self.go("/consent") if form == right and "session=1" in self.headers["Cookie"] else self.send_error(400)
        else:
            self.go(f"{LANDED}?decision={form['decision']}&csrf={form['csrf']}")

    def go(self, location, cookie=None):
        self.send_response(303)
        self.send_header("Location", location)
        if cookie:
            self.send_header("Set-Cookie", cookie)
        self.end_headers()

    def show(self, body):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"<!doctype html><style>p{{}}</style>{body}".encode())

    def log_message(self, *_):
        """Silent: the checks speak."""


def stuck(person, url):
    try:
        person.walk(url)
    except Stuck as why:
        return str(why)
    raise AssertionError("the person was not stuck")


def made_up_pages(url):
    with check("person: the codes are those of RFC 6238, appendix B"):
        secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
        equal([totp(secret, 59), totp(secret, 1111111109)], ["287082", "081804"], "the codes")
    with check("person: hidden fields go back, a second factor is answered, consent is given"):
        equal(Person("alice", "p w", "GEZDGNBV").walk(url), f"{LANDED}?decision=approve&csrf=c", "the address")
    with check("person: consent is refused when asked to"):
        landed = Person("alice", "p w", "GEZDGNBV", "deny").walk(url)
        equal(landed, f"{LANDED}?decision=deny&csrf=c", "the address")
    with check("person: a wrong password is tried once and reported with the page's text"):
        said = stuck(Person("alice", "wrong"), url)
        equal(said, "asked for password again: Wrong. / Sign in", "the message")
    with check("person: a page that asks nothing is reported"):
        equal(stuck(Person("alice", "p w"), f"{url}nowhere").startswith("404 at "), True, "the message")
    with check("person: a redirect that leads round in circles ends"):
        equal("no way back" in stuck(Person("alice", "p w"), f"{url}round"), True, "the message")


def real_pages():
    with check("person: the real server asks for the second factor, and takes it"):
        asked = {
            "response_type": "code", "client_id": CLIENTS["public"]["client_id"], "state": "s",
            "redirect_uri": CLIENTS["public"]["redirect_uri"], "code_challenge_method": "S256",
            # The challenge of RFC 7636, appendix B: nobody redeems this code.
            "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        }
        url = f"{ISSUER}/oauth/authorize?{urllib.parse.urlencode(asked)}"
        name, password = os.environ["PERSON_USERNAME"], os.environ["PERSON_PASSWORD"]
        said = stuck(Person(name, password), url)
        equal(said, "asked for a second factor, but PERSON_TOTP is not set", "the message")
        landed = query(Person(name, password, os.environ["PERSON_TOTP"]).walk(url))
        equal((bool(landed.get("code")), landed.get("state")), (True, "s"), "code and state")


with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as pages:
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    journey(made_up_pages, f"http://localhost:{pages.server_port}/")
    pages.shutdown()
journey(real_pages)
finish()
