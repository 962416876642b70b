"""What suppliers let us call them with, encrypted at rest: AES-256-GCM, each bound to its endpoint, under keys of the settings.

A copy of the database gives nothing away without the settings, and a text moved to another endpoint's row can't be read there.
"""

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_NONCE = 12
_PURPOSE = b"synthference/supplier-secrets"
_VERSION = "1:"


class SecretUnreadable(Exception):
    """No key of the settings opens it, or it belongs to another endpoint."""


def seal(text: str, *, endpoint_uuid: str) -> str:
    """The text encrypted for this endpoint; empty stays empty."""
    if not text:
        return ""
    nonce = os.urandom(_NONCE)
    sealed = AESGCM(_keys()[0]).encrypt(nonce, text.encode(), endpoint_uuid.encode())
    return _VERSION + base64.b64encode(nonce + sealed).decode()


def unseal(sealed: str, *, endpoint_uuid: str) -> str:
    """The text that was sealed for this endpoint. Raises SecretUnreadable."""
    if not sealed:
        return ""
    try:
        raw = base64.b64decode(sealed.removeprefix(_VERSION), validate=True)
    except binascii.Error:
        raise SecretUnreadable("no secret of ours") from None
    for key in _keys():
        try:
            return AESGCM(key).decrypt(raw[:_NONCE], raw[_NONCE:], endpoint_uuid.encode()).decode()
        except (InvalidTag, ValueError):
            continue
    raise SecretUnreadable("no key of the settings opens the endpoint's secret")


def _keys() -> list[bytes]:
    """The keys, newest first, each made of a text of the settings."""
    texts = settings.SUPPLIER_SECRET_KEYS or [settings.SECRET_KEY]
    return [HKDF(SHA256(), 32, None, _PURPOSE).derive(text.encode()) for text in texts]
