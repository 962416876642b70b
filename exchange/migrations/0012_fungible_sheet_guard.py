"""A disclosure sheet is memory: another version follows it, nobody edits it (SPEC §3)."""

from django.db import migrations

FORWARD = """
CREATE TRIGGER sheet_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON exchange_disclosuresheet
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
BACKWARD = "DROP TRIGGER sheet_append_only ON exchange_disclosuresheet"


class Migration(migrations.Migration):
    dependencies = [("exchange", "0011_proposal")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
