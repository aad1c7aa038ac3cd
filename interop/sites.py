"""Web applications that run while a check asks them something, as a browser would."""

import contextlib
import http.client
import subprocess
import urllib.parse

from checks import equal


class Site:
    """A web application that comes back to `redirect_uri`, where it listens."""

    def __init__(self, redirect_uri, environment):
        self.parts, self.environment = urllib.parse.urlsplit(redirect_uri), environment

    @contextlib.contextmanager
    def running(self, command):
        """Runs it until it says where it listens; its standard error is shown only if a check fails."""
        with subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, text=True) as process:
            try:
                equal(process.stdout.readline().strip(), f"Open http://{self.parts.netloc}/", "the first line")
                yield
            finally:
                process.terminate()

    def ask(self, path, cookie=""):
        """One request to it: (status, headers, text)."""
        connection = http.client.HTTPConnection(self.parts.hostname, self.parts.port, timeout=20)
        connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, response.headers, text


def cookie_of(headers):
    """The cookie that an answer sets, as it is sent back."""
    return headers["Set-Cookie"].partition(";")[0]


def path_of(address):
    """What stands behind the origin of an address."""
    parts = urllib.parse.urlsplit(address)
    return f"{parts.path}?{parts.query}"
