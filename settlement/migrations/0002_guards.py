"""Postings are never edited; balances are updated in place as often as orders trade."""

from django.db import migrations

FORWARD = """
CREATE TRIGGER posting_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON settlement_posting
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE settlement_balance SET (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);
"""
BACKWARD = "DROP TRIGGER posting_append_only ON settlement_posting;"


class Migration(migrations.Migration):
    dependencies = [("settlement", "0001_initial"), ("rights", "0002_guards")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
