"""An identity provider on this machine: OpenID Connect's code flow, without a password.

Why it exists: the login is driven as a browser drives it, to the provider and back, with tokens that
Streamlit checks against the provider's keys.
Not here: who may see what (`access.yml` of the test).
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey


@dataclass
class Provider:
    """`email` is who sits in front of the browser; `is_verified` is what the provider says of the address."""

    address: str = ""
    email: str = ""
    is_verified: bool = True
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1", "use": "sig"}))
    # What was promised with each code: who, and the nonce of the request.
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def grant(self, asked: dict[str, str]) -> str:
        """The address that a browser is sent back to, with a code in it."""
        code = f"code-{len(self.codes)}"
        self.codes[code] = {
            "email": self.email, "email_verified": self.is_verified, "nonce": asked.get("nonce"),
            "aud": asked["client_id"],
        }  # fmt: skip
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def tokens(self, code: str) -> dict[str, Any]:
        """A code is worth its tokens once."""
        now = int(time.time())
        claims = {"iss": self.address, "iat": now, "exp": now + 600, **self.codes.pop(code)}
        claims["sub"] = claims["email"]
        signed = jwt.encode({"alg": "RS256", "kid": "1"}, claims, self.key)
        return {"access_token": "a", "token_type": "Bearer", "expires_in": 600, "id_token": signed}


@contextmanager
def running_provider() -> Iterator[Provider]:
    provider = Provider()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            if asked.path == "/authorize":
                self.send_response(302)
                wanted = {name: found[0] for name, found in parse_qs(asked.query).items()}
                self.send_header("Location", provider.grant(wanted))
                self.end_headers()
            elif asked.path == "/keys":
                self._json({"keys": [provider.key.as_dict(private=False)]})
            else:
                self._json(provider.configuration())

        def do_POST(self) -> None:
            sent = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self._json(provider.tokens(sent["code"][0]))

        def _json(self, value: dict[str, Any]) -> None:
            body = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: the test prints its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    provider.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
