"""Events are found by who acted, except the matcher, whose are nearly all of them. Canonical JSON begins with the actor."""

from django.db import migrations

FORWARD = """
CREATE INDEX event_actor ON rights_event (split_part(body, '"', 4), id) WHERE split_part(body, '"', 4) <> 'venue:matcher'
"""


class Migration(migrations.Migration):
    dependencies = [("rights", "0009_scale_reads")]
    operations = [migrations.RunSQL(FORWARD, "DROP INDEX event_actor")]
