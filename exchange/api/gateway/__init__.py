"""The OpenAI-compatible gateway at the site root: an existing client changes its base URL and its key, and spends a right (API.md)."""

from exchange.api.gateway.application import application, serves

__all__ = ["application", "serves"]
