"""The sample programs under examples/, run as their README says, against the real server."""

import contextlib
import http.client
import os
import pathlib
import re
import subprocess
import urllib.parse

from checks import CLIENTS, ISSUER, check, equal, finish, journey, person

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples"
SAMPLE = CLIENTS["sample"]
SITE = urllib.parse.urlsplit(SAMPLE["redirect_uri"])
ENVIRONMENT = {
    **os.environ,
    "ISSUER": ISSUER,
    "CLIENT_ID": SAMPLE["client_id"],
    "CLIENT_SECRET": SAMPLE["client_secret"],
    "REDIRECT_URI": SAMPLE["redirect_uri"],
}


@contextlib.contextmanager
def running(command):
    """A web application that has said that it listens; its standard error is shown only if a check fails."""
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        try:
            equal(process.stdout.readline().strip(), f"Open http://{SITE.netloc}/", "the first line")
            yield
        finally:
            process.terminate()


def get(path, cookie=""):
    """One request to the web application: (status, headers, text)."""
    connection = http.client.HTTPConnection(SITE.hostname, SITE.port, timeout=20)
    connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, response.headers, text


def web_application(name, command):
    with check(f"examples {name}: a person signs in and is greeted"), running(command):
        status, headers, _ = get("/login")
        equal(status, 302, "the status of /login")
        cookie = headers["Set-Cookie"].partition(";")[0]
        landed = urllib.parse.urlsplit(person(headers["Location"]))
        status, _, text = get(f"{landed.path}?{landed.query}", cookie)
        equal((status, os.environ["PERSON_USERNAME"] in text), (200, True), f"the greeting {text!r}")
    with check(f"examples {name}: a callback for another browser, and one from another server, are refused"), running(command):
        _, headers, _ = get("/login")
        landed = urllib.parse.urlsplit(person(headers["Location"]))
        equal(get(f"{landed.path}?{landed.query}")[0], 400, "the status without the cookie")
        cookie = headers["Set-Cookie"].partition(";")[0]
        foreign = re.sub(r"(^|&)iss=[^&]*", r"\1iss=https%3A%2F%2Fevil.example", landed.query)
        equal(get(f"{landed.path}?{foreign}", cookie)[0], 400, "the status with a foreign issuer")


def shell():
    with check("examples shell: a person signs in and is printed"):
        command = [EXAMPLES / "shell" / "sign-in.sh"]
        with subprocess.Popen(
            command, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            landed = person(process.stdout.readline().strip())
            printed, _ = process.communicate(f"{landed}\n", timeout=30)
        equal(process.returncode, 0, "the exit code")
        equal(f'"{os.environ["PERSON_USERNAME"]}"' in printed, True, f"the person in {printed!r}")


journey(web_application, "python", ["python3", EXAMPLES / "python" / "app.py"])
journey(web_application, "node", ["node", EXAMPLES / "node" / "app.mjs"])
journey(shell)
finish()
