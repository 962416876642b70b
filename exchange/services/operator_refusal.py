"""A refused act of an operator: a stable code and what would help."""


class OperatorRefusal(Exception):
    """Nothing was written."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
