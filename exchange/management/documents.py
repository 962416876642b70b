"""Manifests that commands are given, read as strictly as the API reads them."""

from pathlib import Path

from django.core.management.base import CommandError

from exchange.api.strict_json import Malformed, parse


def manifest_document(name: str) -> object:
    """What the file holds; `-` is standard input. Raises CommandError."""
    try:
        body = Path("/dev/stdin" if name == "-" else name).read_bytes()
    except OSError as error:
        raise CommandError(f"can't read {name}: {error.strerror}") from error
    try:
        return parse(body)
    except Malformed as error:
        raise CommandError(f"{name}: {error}") from error
