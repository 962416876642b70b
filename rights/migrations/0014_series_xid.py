"""By which transaction a series came, so that whoever looks for new ones need not look at all (exchange/services/deliverable.py)."""

from django.db import migrations

FORWARD = """
ALTER TABLE rights_series ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX series_xid ON rights_series (xid);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("rights", "0013_right_ends_at"),
    ]

    operations = [migrations.RunSQL(FORWARD, "ALTER TABLE rights_series DROP COLUMN xid")]
