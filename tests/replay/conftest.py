from tests.shared_market import made_market, market

__all__ = ["made_market", "market"]
