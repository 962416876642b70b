"""Anchors are memory too: corrected by a new one, never edited (SPEC §11)."""

from django.db import migrations

FORWARD = """
CREATE TRIGGER anchor_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rights_anchor
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER anchor_span_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rights_anchorspan
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
BACKWARD = """
DROP TRIGGER anchor_span_append_only ON rights_anchorspan;
DROP TRIGGER anchor_append_only ON rights_anchor;
"""


class Migration(migrations.Migration):
    dependencies = [("rights", "0004_registry_whole")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
