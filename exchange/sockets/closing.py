"""Why the venue closes a socket (API.md, WebSocket). AsyncAPI and the guide list them from here."""

from enum import IntEnum


class Close(IntEnum):
    """WebSocket close codes; below 4000 they are RFC 6455's own."""

    UNSUPPORTED = 1003
    TOO_LARGE = 1009
    UNAUTHENTICATED = 4001
    SCOPE_MISSING = 4003
    SLOW_READER = 4008
    REVOKED = 4009
    GOING_AWAY = 4010
    TOO_MANY = 4029


MEANING = {
    Close.UNSUPPORTED: "a binary frame: everything here is text",
    Close.TOO_LARGE: "a frame above 64 KiB",
    Close.UNAUTHENTICATED: "a key that is not valid, or a private operation without one",
    Close.SCOPE_MISSING: "an operation or channel that the key or member has no scope for",
    Close.SLOW_READER: "what can't be left out was read too slowly; the reason holds `last_seq`",
    Close.REVOKED: "the key was revoked or has expired, or the session ended",
    Close.GOING_AWAY: "this process stops; connect again",
    Close.TOO_MANY: "too many frames in spite of `rate_limited` answers",
}
