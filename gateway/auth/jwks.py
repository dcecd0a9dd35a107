"""A JSON Web Key Set (RFC 7517) as keys that may verify a token; what does not fit is skipped."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import Algorithm, get_default_algorithms

MAX_KEYS = 100
MAX_CANDIDATES = 8
RSA_BITS = range(2048, 8192 + 1)
RSA_EXPONENTS = range(3, 2**64, 2)

_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_BY_CURVE = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_PUBLIC_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
# Whoever can read a private or symmetric key from a public document can sign with it.
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_LOADERS = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}

# RFC 9864 names by its curve what RFC 8037 called EdDSA; issuers use either name.
_EDWARDS = frozenset({"EdDSA", "Ed25519"})

# The algorithm objects of PyJWT, by name. HMAC and none are not among them, so that no key can
# ever be taken for a shared secret (CVE-2022-29217, CVE-2026-48526).
_ALGORITHMS: dict[str, Algorithm] = {
    name: algorithm
    for name, algorithm in get_default_algorithms().items()
    if name in {*_RSA, *_BY_CURVE.values(), "EdDSA"}
}
_ALGORITHMS["Ed25519"] = _ALGORITHMS["EdDSA"]  # only keys of this curve are ever loaded

# Moduli made by Infineon's RSALib (CVE-2017-15361) are powers of 65537 modulo every small prime.
_ROCA_PRIMES = tuple(
    number for number in range(3, 168) if all(number % divisor for divisor in range(2, number))
)
_ROCA_RESIDUES = {
    prime: frozenset(pow(65537, power, prime) for power in range(prime)) for prime in _ROCA_PRIMES
}

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One public key and the algorithms that it may be used with."""

    kid: str | None
    algorithms: frozenset[str]
    public_key: PublicKey

    def fits(self, kid: str | None, algorithm: str) -> bool:
        """A token without a kid may have been signed with any key of its algorithm."""
        return algorithm in self.algorithms and (kid is None or kid == self.kid)

    def verifies(self, algorithm: str, signing_input: bytes, signature: bytes) -> bool:
        try:
            return _ALGORITHMS[algorithm].verify(signing_input, self.public_key, signature)
        except ValueError:  # a signature of a length or form that its algorithm does not know
            return False


def fitting(
    keys: Iterable[VerificationKey], kid: str | None, algorithm: str
) -> tuple[VerificationKey, ...]:
    """The keys to try; few, because each costs a signature check that a stranger can ask for."""
    return tuple(key for key in keys if key.fits(kid, algorithm))[:MAX_CANDIDATES]


def read_keys(document: Mapping[str, Any]) -> tuple[VerificationKey, ...]:
    """The usable keys of a JWK Set document, in its order; empty if there are none."""
    entries = document.get("keys")
    if not isinstance(entries, list):
        return ()
    found = (_usable(entry) for entry in entries[:MAX_KEYS])
    return tuple(key for key in found if key is not None)


def _usable(entry: Any) -> VerificationKey | None:
    if not isinstance(entry, dict) or not _is_for_verification(entry):
        return None
    kind, kid, named = entry.get("kty"), entry.get("kid"), entry.get("alg")
    if not isinstance(kind, str) or kind not in _PUBLIC_MEMBERS:
        return None
    if not isinstance(kid, str | None):
        return None
    public_key = _loaded(entry, kind)
    algorithms = _algorithms_of(public_key)
    if named is not None:
        algorithms &= {named} if isinstance(named, str) else frozenset()
    if public_key is None or not algorithms:
        return None
    return VerificationKey(kid, algorithms, public_key)


def _is_for_verification(entry: Mapping[str, Any]) -> bool:
    if not _PRIVATE_MEMBERS.isdisjoint(entry):
        return False
    if entry.get("use") not in (None, "sig"):
        return False
    operations = entry.get("key_ops")
    return operations is None or (isinstance(operations, list) and "verify" in operations)


def _loaded(entry: Mapping[str, Any], kind: str) -> PublicKey | None:
    """Only public members reach the library, so that it cannot make a private key of an entry."""
    members = {name: entry[name] for name in _PUBLIC_MEMBERS[kind] if name in entry}
    if not all(isinstance(value, str) for value in members.values()):
        return None
    try:
        key = jwt.PyJWK({"kty": kind, **members}, algorithm=_LOADERS[kind]).key
    except (jwt.PyJWTError, UnsupportedAlgorithm, ValueError, TypeError, KeyError):
        return None
    return key if isinstance(key, PublicKey) else None


def _algorithms_of(key: PublicKey | None) -> frozenset[str]:
    match key:
        case rsa.RSAPublicKey():
            return _RSA if _is_strong(key) else frozenset()
        case ec.EllipticCurvePublicKey():
            algorithm = _BY_CURVE.get(key.curve.name)
            return frozenset({algorithm}) if algorithm else frozenset()
        case ed25519.Ed25519PublicKey():
            return _EDWARDS
        case _:
            return frozenset()


def _is_strong(key: rsa.RSAPublicKey) -> bool:
    numbers = key.public_numbers()
    if key.key_size not in RSA_BITS or numbers.e not in RSA_EXPONENTS or numbers.n % 2 == 0:
        return False
    return not all(numbers.n % prime in _ROCA_RESIDUES[prime] for prime in _ROCA_PRIMES)
