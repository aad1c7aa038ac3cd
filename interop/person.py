#!/usr/bin/env python3
"""A person at a browser: walks through Grantry's pages and prints the address that leads back to the application.

    person.py [--deny] URL

It knows only the documented names of the pages: the fields `username`, `password` and `otp`, the buttons
`decision=approve` and `decision=deny`, and that whatever else a form holds (such as `csrf`) goes back unchanged. Who the
person is comes from PERSON_USERNAME, PERSON_PASSWORD and, with a second factor, PERSON_TOTP (a base32 secret).
Nothing but the Python standard library and what stands beside it, so that a program in any language can start it.
"""

import base64
import hmac
import html.parser
import http.cookiejar
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import loopback  # noqa: F401

HOPS_MAX = 12
TIMEOUT_S = 20
TOTP_STEP_S = 30


class Stuck(Exception):
    """The pages did not lead back to the application."""


class Form:
    """What one form would send: `fields` goes back unchanged, `buttons` are the ways to submit it."""

    def __init__(self, attributes):
        self.action = attributes.get("action") or ""
        self.method = (attributes.get("method") or "get").lower()
        self.fields = {}
        self.buttons = []


class Page(html.parser.HTMLParser):
    """The forms and the visible text of one HTML document."""

    def __init__(self, document):
        super().__init__()
        self.forms, self.text, self._silent = [], [], 0
        self.feed(document)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self._silent += tag in ("style", "script")
        if tag == "form":
            self.forms.append(Form(attributes))
        elif self.forms and tag in ("input", "button", "textarea", "select"):
            self._control(tag, attributes, self.forms[-1])

    def handle_endtag(self, tag):
        self._silent -= tag in ("style", "script")

    def handle_data(self, data):
        if not self._silent and data.strip():
            self.text.append(data.strip())

    @staticmethod
    def _control(tag, attributes, form):
        name, value = attributes.get("name"), attributes.get("value") or ""
        kind = attributes.get("type") or ("submit" if tag == "button" else "text")
        if kind == "submit":
            form.buttons.append((name, value))
        elif not name or kind in ("button", "reset", "image") or "disabled" in attributes:
            return
        elif kind not in ("checkbox", "radio") or "checked" in attributes:
            form.fields[name] = value


class Browser:
    """Cookies and addresses, as far as these pages need them."""

    def __init__(self):
        # Browsers treat loopback as a secure place, also over plain HTTP: so `Secure` cookies must come back.
        policy = http.cookiejar.DefaultCookiePolicy(secure_protocols=("https", "http"))
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar(policy))
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies, StayHere())
        self.address = ""

    def visit(self, address, fields=None):
        """Answers (status, headers, text) of one request; follows nothing."""
        headers = {"Accept": "text/html", "User-Agent": "Grantry interop person"}
        data = None
        if fields is not None:
            data = urllib.parse.urlencode(fields).encode()
            headers.update({"Origin": origin(self.address), "Referer": self.address, "Sec-Fetch-Site": "same-origin"})
        self.address = address
        try:
            response = self._opener.open(urllib.request.Request(address, data, headers), timeout=TIMEOUT_S)
        except urllib.error.HTTPError as refused:
            response = refused
        with response:
            return response.status, response.headers, response.read().decode("utf-8", "replace")


class StayHere(urllib.request.HTTPRedirectHandler):
    """Leaves redirects to the caller, who must see where they lead."""

    def redirect_request(self, *_):
        return None


class Person:
    """Somebody with a password, perhaps a second factor, and an opinion on the consent page."""

    def __init__(self, username, password, totp_secret=None, decision="approve"):
        self.username, self.password, self.totp_secret, self.decision = username, password, totp_secret, decision
        self._answered = set()

    def walk(self, url):
        """Follows the pages from `url`; returns the first address on another origin."""
        browser, address, fields = Browser(), url, None
        for _ in range(HOPS_MAX):
            status, headers, text = browser.visit(address, fields)
            if 300 <= status < 400 and headers["Location"]:
                address, fields = urllib.parse.urljoin(address, headers["Location"]), None
                if origin(address) != origin(url):
                    return address
                continue
            page = Page(text)
            answer = self.answer(page) if status == 200 else None
            if answer is None:
                raise Stuck(f"{status} at {address.partition('?')[0]}: {' / '.join(page.text) or 'no text'}")
            form, fields = answer
            address = urllib.parse.urljoin(address, form.action)
            if form.method == "get":
                address, fields = f"{address.partition('?')[0]}?{urllib.parse.urlencode(fields)}", None
        raise Stuck(f"no way back to the application after {HOPS_MAX} pages")

    def answer(self, page):
        """The form to send and its fields, or None if the page asks nothing that a person could answer."""
        for form in page.forms:
            if "otp" in form.fields:
                return self._once("otp", page, form, {"otp": totp(self.totp_secret)})
            if "password" in form.fields:
                return self._once("password", page, form, {"username": self.username, "password": self.password})
            if ("decision", self.decision) in form.buttons:
                return self._once("decision", page, form, {"decision": self.decision})
        return None

    def _once(self, question, page, form, filled):
        """A page that comes back did not accept the answer: trying again would only lock the account."""
        if question in self._answered:
            raise Stuck(f"asked for {question} again: {' / '.join(page.text)}")
        self._answered.add(question)
        pressed = {} if question == "decision" or not form.buttons or not form.buttons[0][0] else dict(form.buttons[:1])
        return form, {**form.fields, **pressed, **filled}


def origin(address):
    """Scheme, host and port of an address."""
    parts = urllib.parse.urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def totp(secret, now_s=None):
    """The six digits of RFC 6238 for a base32 secret at this moment."""
    if not secret:
        raise Stuck("asked for a second factor, but PERSON_TOTP is not set")
    key = base64.b32decode(secret.upper() + "=" * (-len(secret) % 8))
    step = int(time.time() if now_s is None else now_s) // TOTP_STEP_S
    digest = hmac.digest(key, step.to_bytes(8, "big"), "sha1")
    start = digest[-1] & 0x0F
    return f"{(int.from_bytes(digest[start:start + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


def main(arguments):
    denies = "--deny" in arguments
    urls = [argument for argument in arguments if argument != "--deny"]
    if len(urls) != 1:
        sys.exit(__doc__)
    person = Person(
        os.environ["PERSON_USERNAME"],
        os.environ["PERSON_PASSWORD"],
        os.environ.get("PERSON_TOTP"),
        "deny" if denies else "approve",
    )
    try:
        print(person.walk(urls[0]))
    except (Stuck, OSError) as why:
        sys.exit(f"person: {why}")


if __name__ == "__main__":
    main(sys.argv[1:])
