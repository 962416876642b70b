"""A right that stands for another one does so for good."""

from django.db import migrations

FORWARD = """
CREATE TRIGGER link_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rights_rightlink
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
BACKWARD = "DROP TRIGGER link_append_only ON rights_rightlink;"


class Migration(migrations.Migration):
    dependencies = [("rights", "0014_series_xid")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
