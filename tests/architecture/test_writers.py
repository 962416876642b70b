"""One writer per truth: each append-only table is written in one place."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WRITERS = {
    "rights_event": {"rights/services/journal.py"},
    "rights_stream": {"rights/services/journal.py"},
    "rights_anchor": {"rights/services/anchor.py"},
    "rights_anchorspan": {"rights/services/anchor.py"},
    "settlement_posting": {"settlement/services/ledger.py"},
    "settlement_balance": {"settlement/services/ledger.py"},
    "exchange_command": {"exchange/services/intake.py"},
    "exchange_batch": {"exchange/services/batch_write.py"},
    "exchange_book": {"exchange/services/batch_write.py"},
    "exchange_order": {"exchange/services/order_rows.py"},
    "exchange_trade": {"exchange/services/order_rows.py"},
    "exchange_proposal": {"exchange/services/proposals.py"},
    "exchange_accountmessage": {"exchange/services/messages.py", "exchange/services/retention.py"},  # written; and forgotten after its time
}
MODELS = {
    "rights_event": "Event",
    "rights_anchor": "Anchor",
    "settlement_posting": "Posting",
    "settlement_balance": "Balance",
    "exchange_command": "Command",
    "exchange_batch": "Batch",
    "exchange_trade": "Trade",
    "exchange_order": "Order",
    "exchange_proposal": "Proposal",
}


def test_each_truth_has_one_writer():
    found: dict[str, set[str]] = {table: set() for table in WRITERS}
    for app in ("exchange", "rights", "settlement"):
        for path in (ROOT / app).rglob("*.py"):
            if "migrations" in path.parts:
                continue
            text = path.read_text()
            for table in WRITERS:
                sql = rf'(?:INSERT INTO|UPDATE|DELETE FROM)\s+{table}\b(?!\s+SET STORAGE)|(?:copy|ask)_rows\(\s*"{table}"'
                model = MODELS.get(table)
                orm = rf"\b{model}\.objects\.(?:create|bulk_create|update|filter\([^)]*\)\.(?:update|delete))" if model else r"(?!)"
                if re.search(sql, text) or re.search(orm, text):
                    found[table].add(str(path.relative_to(ROOT)))
    assert found == WRITERS
