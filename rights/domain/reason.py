"""Why an operator did something: stated in words, kept for ever."""

LONGEST = 500


class ReasonMissing(ValueError):
    """The act needs a reason somebody can read later."""


def stated_reason(text: str) -> str:
    """The reason without outer blanks; raises ReasonMissing when it is empty, too long or holds control characters."""
    reason = text.strip()
    if not reason:
        raise ReasonMissing("state a reason: it goes on the record")
    if len(reason) > LONGEST:
        raise ReasonMissing(f"the reason is longer than {LONGEST} characters")
    if any(ord(c) < 32 or 0xD800 <= ord(c) <= 0xDFFF for c in reason):
        raise ReasonMissing("the reason holds control characters")
    return reason
