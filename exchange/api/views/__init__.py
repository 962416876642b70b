"""The REST views: thin; reads come from exchange/selectors, writes from services."""
