"""Append-only orders' memory, the transaction id that lets a lane find what it has not read, and storage settings."""

from django.db import migrations

FORWARD = """
ALTER TABLE exchange_command ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX command_unread ON exchange_command (book_id, xid, n);
CREATE TRIGGER command_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON exchange_command
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER batch_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON exchange_batch
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER trade_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON exchange_trade
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE exchange_batch ALTER COLUMN inputs SET STORAGE EXTERNAL, ALTER COLUMN public SET STORAGE EXTERNAL;
ALTER TABLE exchange_accountmessage ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE exchange_order SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE exchange_book SET (fillfactor = 20, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 500);
ALTER TABLE exchange_accountfeed SET (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);
"""
BACKWARD = """
DROP TRIGGER trade_append_only ON exchange_trade;
DROP TRIGGER batch_append_only ON exchange_batch;
DROP TRIGGER command_append_only ON exchange_command;
ALTER TABLE exchange_command DROP COLUMN xid;
"""


class Migration(migrations.Migration):
    dependencies = [("exchange", "0001_initial"), ("rights", "0002_guards")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
