"""What the Python programs here share: checks that print one line each, and the environment that `run` sets."""

import contextlib
import json
import os
import subprocess
import sys
import traceback
import urllib.parse

import loopback  # noqa: F401

ISSUER = os.environ.get("ISSUER", "")
CLIENTS = json.loads(os.environ.get("CLIENTS", "{}"))
SURFACES = json.loads(os.environ.get("SURFACES", "{}"))
SCOPE = "profile email links:read"

_failed = []


class Stopped(Exception):
    """A check failed; those that would build on it make no sense any more."""


@contextlib.contextmanager
def check(name):
    """Prints `ok NAME`, or `not ok NAME: why` if the block raises, and then ends the journey it is part of."""
    try:
        yield
    except Exception as why:
        _failed.append(name)
        traceback.print_exc()
        print(f"not ok {name}: {' '.join(f'{type(why).__name__}: {why}'.split())}", flush=True)
        raise Stopped(name) from why
    print(f"ok {name}", flush=True)


def journey(steps, *arguments):
    """Runs one client's journey; a failed check ends it, and the next journey still runs."""
    with contextlib.suppress(Stopped):
        steps(*arguments)


def finish():
    """Ends the program: 0 if every check held."""
    sys.exit(1 if _failed else 0)


def equal(actual, expected, what):
    """Raises if the two differ, naming both."""
    if actual != expected:
        raise AssertionError(f"{what} is {actual!r}, expected {expected!r}")


def person(url, *options):
    """Sends the person through the pages; returns the address that leads back to the application."""
    command = [os.environ["PERSON"], *options, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(done.stderr.strip())
    return done.stdout.strip()


def query(address):
    """The query parameters of an address, each once."""
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query, strict_parsing=True))


def expect_person(claims):
    """Checks the members that userinfo answers for the scopes `profile` and `email`."""
    for member in ("sub", "name", "preferred_username", "email", "email_verified"):
        if member not in claims:
            raise AssertionError(f"userinfo lacks {member}: {sorted(claims)}")
    equal(claims["preferred_username"], os.environ["PERSON_USERNAME"], "preferred_username")
