"""Starts the real binary on a folder of its own and fills it through the command line, as an operator would."""

import json
import os
import pathlib
import secrets
import socket
import subprocess
import time

import google
import surfaces

START_TIMEOUT_S = 20
COMMAND_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10

# Nothing listens here: the person stops before following an address on another origin.
REDIRECT_URI = "http://127.0.0.1:9/callback"

CONFIGURATION = """\
issuer       = "{issuer}"
listen       = "127.0.0.1:{port}"
admin_listen = "127.0.0.1:{admin_port}"

[store]
url = "sqlite:{database}"

[dialects]
enable = ["standard", {surfaces}]
accept = [{waivers}]

[dialect.standard]
# Every library signs in several times within seconds, from one address.
limit = {{ token = "off", api = "off", failed = "off" }}

[dialect.standard.scope]
list = {{ "links:read" = "Read your links", "profile" = "See your name", "email" = "See your e-mail address" }}

# Without a secret there, ID tokens are verified and the sign-in page stays as it is.
[upstream.google]
client_id = "{google_client_id}"
issuer = "{google}"

[fetch]
allow = ["{google_place}"]
"""


def quoted(names):
    """The members of a TOML list."""
    return ", ".join(f'"{name}"' for name in names)


# One client per way of being registered; the programs ask for them by these names.
CLIENTS = {
    "public": ["--kind", "public"],
    "confidential": ["--kind", "confidential"],
    "basic": ["--kind", "confidential", "--auth-method", "client_secret_basic"],
    "post": ["--kind", "confidential", "--auth-method", "client_secret_post"],
    "reuse": ["--kind", "confidential", "--refresh", "reuse"],
    "machine": ["--kind", "confidential", "--grant", "client_credentials", "--scope", "links:read"],
}


class Server:
    """A running `grantry serve`; `with` it, then ask for users and clients."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, pathlib.Path(folder)
        self.port, self.sample_port = free_port(), free_port()
        self.issuer = f"http://localhost:{self.port}"
        self.log_path = self.folder / "server.log"
        self.surfaces = {name: surfaces.address(name, self.port) for name in surfaces.NAMES}
        self.clients = {}
        self.google = google.Google()
        self._process = None

    def __enter__(self):
        text = CONFIGURATION.format(
            issuer=self.issuer, port=self.port, admin_port=free_port(), database=self.folder / "grantry.db",
            surfaces=quoted(surfaces.NAMES), waivers=quoted(surfaces.WAIVERS), google=self.google.url,
            google_place=self.google.place, google_client_id=google.CLIENT_ID,
        ) + surfaces.CONFIGURATION.format(port=self.port)
        (self.folder / "grantry.toml").write_text(text)
        self.google.__enter__()
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [self.binary, "serve", "--config", self.folder / "grantry.toml"],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        try:
            self._await_port()
            for name, options in CLIENTS.items():
                self.clients[name] = self._add_client(name, "standard", REDIRECT_URI, options)
            # The sample programs under examples/ listen themselves.
            sample_uri = f"http://127.0.0.1:{self.sample_port}/callback"
            self.clients["sample"] = self._add_client("sample", "standard", sample_uri, CLIENTS["confidential"])
            for name, (dialect, is_site, options) in surfaces.CLIENTS.items():
                uri = sample_uri if is_site else REDIRECT_URI
                self.clients[name] = self._add_client(name, dialect, uri, options)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.google.__exit__()
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log(self):
        """Everything that the server wrote so far."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def person(self, name, has_totp=False):
        """Adds a user; returns the environment in which person.py is that user."""
        password, email, full_name = secrets.token_urlsafe(18), f"{name}@example.com", f"{name.title()} Doe"
        self.command(
            "user", "add", "--email", email, "--name", full_name, "--username", name, "--password-stdin", stdin=password,
        )
        personal = self.command("token", "add", "--user", name, "--name", "interop", "--dialect", "paced")
        environment = {
            "PERSON_USERNAME": name, "PERSON_PASSWORD": password, "PERSON_EMAIL": email, "PERSON_NAME": full_name,
            "PERSONAL_TOKEN": personal["token"],
        }
        if has_totp:
            environment["PERSON_TOTP"] = self.command("user", "totp", name, "--enable")["secret"]
        return environment

    def command(self, *arguments, stdin=""):
        """Runs one `grantry` command with --json; returns the document it prints."""
        done = subprocess.run(
            [self.binary, *arguments, "--json", "--config", self.folder / "grantry.toml"],
            cwd=self.folder, input=stdin, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S,
        )
        if done.returncode != 0:
            raise RuntimeError(f"grantry {' '.join(arguments)} exited with {done.returncode}\n{done.stderr}{done.stdout}")
        return json.loads(done.stdout)

    def _add_client(self, name, dialect, redirect_uri, options):
        # A client of the client_credentials grant alone has nowhere to send a browser to.
        redirect = [] if "client_credentials" in options else ["--redirect-uri", redirect_uri]
        added = self.command("client", "add", "--dialect", dialect, "--name", name, *redirect, *options)
        return {
            "client_id": added["client_id"],
            "client_secret": added.get("client_secret") or "",
            "redirect_uri": redirect_uri,
        }

    def _await_port(self):
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"grantry serve exited with {self._process.returncode}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"grantry serve did not listen within {START_TIMEOUT_S} s")


def free_port():
    """A TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def binary_path(root):
    """The binary to test: $GRANTRY_BIN, else the debug build."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or root / "target")
    return pathlib.Path(os.environ.get("GRANTRY_BIN") or target / "debug" / "grantry").absolute()
