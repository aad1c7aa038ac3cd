"""A stand-in for Google: an OpenID issuer on loopback with a key of its own, which signs whatever it is asked to say.

`GET /id-token?aud=…&sub=…&email=…&name=…` gives an ID token; what Google publishes, it publishes. It knows no library: the
arithmetic of RSA is Python's own, and good enough for a test alone.
"""

import base64
import hashlib
import http.server
import json
import math
import secrets
import threading
import time
import urllib.parse

CLIENT_ID = "grantry.apps.example"
KEY_BITS = 2048
PUBLIC_EXPONENT = 65537
PRIME_ROUNDS = 20
TOKEN_TTL_S = 3600
# What stands before a SHA-256 in a signature, RFC 8017 §9.2.
DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


class Google:
    """A running issuer; `with` it."""

    def __init__(self):
        self._n, self._d = _key()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.place = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.place}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def id_token(self, claims):
        """An ID token with these claims, by RS256."""
        now = int(time.time())
        claims = {"iss": self.url, "iat": now, "exp": now + TOKEN_TTL_S, "email_verified": True, **claims}
        head = {"alg": "RS256", "kid": "first", "typ": "JWT"}
        message = ".".join(_base64url(json.dumps(part).encode()) for part in (head, claims))
        size = KEY_BITS // 8
        digest = DIGEST_INFO + hashlib.sha256(message.encode()).digest()
        padded = b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest
        signature = pow(int.from_bytes(padded, "big"), self._d, self._n).to_bytes(size, "big")
        return f"{message}.{_base64url(signature)}"

    def _answer(self, target):
        path, _, query = target.partition("?")
        match path:
            case "/.well-known/openid-configuration":
                return {
                    "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize",
                    "token_endpoint": f"{self.url}/token", "jwks_uri": f"{self.url}/keys",
                }
            case "/keys":
                modulus = _base64url(self._n.to_bytes(KEY_BITS // 8, "big"))
                key = {"kty": "RSA", "kid": "first", "use": "sig", "alg": "RS256", "n": modulus, "e": "AQAB"}
                return {"keys": [key]}
            case "/id-token":
                return {"id_token": self.id_token(dict(urllib.parse.parse_qsl(query)))}
        return None

    def _handler(google):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                document = google._answer(self.path)
                body = json.dumps(document or {}).encode()
                self.send_response(404 if document is None else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler


def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _key():
    """Modulus and private exponent."""
    while True:
        p, q = _prime(), _prime()
        totient = (p - 1) * (q - 1)
        if p != q and math.gcd(PUBLIC_EXPONENT, totient) == 1:
            return p * q, pow(PUBLIC_EXPONENT, -1, totient)


def _prime():
    """Half as long as the key. Both its highest bits are set, so that the product of two is as long as the key."""
    bits = KEY_BITS // 2
    while True:
        candidate = secrets.randbits(bits) | 3 << bits - 2 | 1
        if _is_prime(candidate):
            return candidate


def _is_prime(number):
    """Miller and Rabin's test."""
    if any(number % small == 0 for small in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)):
        return False
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    return all(_passes(secrets.randbelow(number - 3) + 2, odd, twos, number) for _ in range(PRIME_ROUNDS))


def _passes(base, odd, twos, number):
    power = pow(base, odd, number)
    if power in (1, number - 1):
        return True
    for _ in range(twos - 1):
        power = pow(power, 2, number)
        if power == number - 1:
            return True
    return False
