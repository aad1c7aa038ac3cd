"""Names below `localhost` are this machine's, as RFC 6761 §6.3 asks of everybody who looks up names.

Browsers and curl do so by themselves; the C library, which Python asks, does only on some systems. Importing this module
settles it for every library of the process.
"""

import socket

_ask_the_system = socket.getaddrinfo


def _getaddrinfo(host, *rest, **options):
    name = host.decode() if isinstance(host, bytes) else host
    is_below = isinstance(name, str) and name.lower().rstrip(".").endswith(".localhost")
    return _ask_the_system("127.0.0.1" if is_below else host, *rest, **options)


socket.getaddrinfo = _getaddrinfo
