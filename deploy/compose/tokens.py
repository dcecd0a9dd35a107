"""Keys and tokens for the trial with compose, in place of an identity provider.

tokens.py FOLDER          make FOLDER/keys.json and FOLDER/private.pem, if they are not there
tokens.py FOLDER TEAM     print a token of a member of TEAM, good for twelve hours
"""

import json
import sys
import time
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

ISSUER = "https://id.example.com"
AUDIENCE = "olconnect"
KEY_ID = "trial"
TOKEN_SECONDS = 12 * 3600


def make_keys(folder: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    key = {**public, "kid": KEY_ID, "alg": "ES256", "use": "sig"}
    (folder / "private.pem").write_bytes(pem)
    (folder / "keys.json").write_text(json.dumps({"keys": [key]}))


def token(folder: Path, team: str) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": f"trial-{team}",
        "groups": [team],
        "iat": now,
        "exp": now + TOKEN_SECONDS,
    }
    private = (folder / "private.pem").read_bytes()
    return jwt.encode(claims, private, algorithm="ES256", headers={"kid": KEY_ID})


def main() -> None:
    folder = Path(sys.argv[1])
    if not (folder / "keys.json").exists():
        make_keys(folder)
    for team in sys.argv[2:]:
        print(token(folder, team))


if __name__ == "__main__":
    main()
