"""The five surfaces besides the standard one: where each is, and who is registered there."""

NAMES = ("tinyemail", "tinyplus", "tinyrebrand", "php-endpoints", "paced")

WAIVERS = (
    "code-without-redirect-uri", "implicit-grant", "open-introspection", "open-revocation", "password-grant",
    "refresh-without-expiry", "secret-in-query", "token-in-query",
)

# Each surface is as it is shipped, but for where it is, limits that fit a person and not a hundred checks in a minute,
# and an address at which those that document none show who a token speaks for.
CONFIGURATION = """
[dialect.tinyemail]
hosts = ["tinyemail.localhost:{port}"]
[dialect.tinyemail.endpoint.userinfo]
path = "/api/me"

[dialect.tinyplus]
hosts = ["tinyplus.localhost:{port}"]
[dialect.tinyplus.endpoint.userinfo]
path = "/api/me"
scope = "read"

[dialect.tinyrebrand]
hosts = ["tinyrebrand.localhost:{port}"]
limit = {{ token = "off" }}

[dialect.php-endpoints]
hosts = ["php-endpoints.localhost:{port}"]
limit = {{ token = "off" }}

[dialect.paced]
hosts = ["paced.localhost:{port}"]
"""

# The name by which the programs ask for a client: its dialect, whether its program is a site, that listens where the browser
# comes back, and how it is registered.
CLIENTS = {
    "tinyemail": ("tinyemail", False, []),
    "tinyplus": ("tinyplus", False, []),
    "tinyrebrand": ("tinyrebrand", False, ["--id", "web-client", "--kind", "public"]),
    "tinyrebrand site": ("tinyrebrand", False, ["--kind", "confidential"]),
    "php-endpoints": ("php-endpoints", False, []),
    "php-endpoints site": ("php-endpoints", True, []),
    "paced": ("paced", False, []),
}


def address(name, port):
    """Where a surface is; `loopback.py` says why its host needs no entry anywhere."""
    return f"http://{name}.localhost:{port}"
