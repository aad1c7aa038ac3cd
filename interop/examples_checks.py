"""The sample programs under examples/, run as their README says, against the real server."""

import os
import pathlib
import re
import subprocess

from checks import CLIENTS, ISSUER, check, equal, finish, journey, person
from sites import Site, cookie_of, path_of

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples"
SAMPLE = CLIENTS["sample"]
ENVIRONMENT = {
    **os.environ,
    "ISSUER": ISSUER,
    "CLIENT_ID": SAMPLE["client_id"],
    "CLIENT_SECRET": SAMPLE["client_secret"],
    "REDIRECT_URI": SAMPLE["redirect_uri"],
}
SITE = Site(SAMPLE["redirect_uri"], ENVIRONMENT)


def web_application(name, command):
    with check(f"examples {name}: a person signs in and is greeted"), SITE.running(command):
        status, headers, _ = SITE.ask("/login")
        equal(status, 302, "the status of /login")
        landed = path_of(person(headers["Location"]))
        status, _, text = SITE.ask(landed, cookie_of(headers))
        equal((status, os.environ["PERSON_USERNAME"] in text), (200, True), f"the greeting {text!r}")
    with check(f"examples {name}: a callback for another browser, and one from another server, are refused"), SITE.running(command):
        _, headers, _ = SITE.ask("/login")
        landed = path_of(person(headers["Location"]))
        equal(SITE.ask(landed)[0], 400, "the status without the cookie")
        foreign = re.sub(r"([?&])iss=[^&]*", r"\1iss=https%3A%2F%2Fevil.example", landed)
        equal(SITE.ask(foreign, cookie_of(headers))[0], 400, "the status with a foreign issuer")


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
