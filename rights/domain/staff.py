"""Who may use the operators' console, by the names of Django's groups."""

OPERATORS = "operators"
AUDITORS = "auditors"
