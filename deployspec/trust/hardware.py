"""Keys that never leave their hardware (PKCS #11), through securesystemslib: `hsm:[ID][?label=TOKEN]`.

PYKCS11LIB in the environment names the library of the hardware.
Only signing needs the hardware; the public key is one like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from deployspec.errors import UsageError
from deployspec.trust.keys import PASSPHRASE_VARIABLE, read_verifying_key

if TYPE_CHECKING:
    from deployspec.trust.keys import VerifyingKey


@dataclass(frozen=True)
class HardwareKey:
    """A private key in hardware: a `keys.Signer`."""

    uri: str
    public: VerifyingKey
    _signer: Any

    def sign(self, message: bytes) -> bytes:
        """The signature over `message`, by ECDSA with nonces of the hardware's. Raises UsageError."""
        try:
            return bytes.fromhex(self._signer.sign(message).signature)
        except (ValueError, RuntimeError) as error:
            raise _unusable(self.uri, error) from None


def load(uri: str, pin: str | None) -> HardwareKey:
    """The key that `uri` names, seen to sign. Raises UsageError, which never repeats the PIN."""
    try:
        import pkcs11  # noqa: F401 - without it securesystemslib fails only later, and in other words
        from securesystemslib.signer import HSMSigner
    except ImportError:
        raise UsageError("a key in hardware needs an extra: pip install 'deployspec[hsm]'") from None
    if not pin:
        raise UsageError(f"'{uri}' is protected: give its PIN in the environment as {PASSPHRASE_VARIABLE}")
    place = urlsplit(uri)
    try:
        number = int(place.path) if place.path else HSMSigner.SCHEME_KEYID
        label = dict(parse_qsl(place.query)).get("label")
        _, public = HSMSigner.import_(number, label, lambda _: pin)
        signer = HSMSigner(number, public, lambda _: pin, label)
    except (ValueError, RuntimeError) as error:
        raise _unusable(uri, error) from None
    key = HardwareKey(uri, read_verifying_key(public.keyval["public"].encode(), f"'{uri}'"), signer)
    if not key.public.verifies(b"a trial", key.sign(b"a trial")):
        raise UsageError(f"'{uri}' signs with another key than the public one beside it")
    return key


def _unusable(uri: str, error: Exception) -> UsageError:
    """What PKCS #11 says, which may be no more than the name of a state."""
    return UsageError(f"'{uri}' cannot be used: {str(error) or type(error).__name__}")
