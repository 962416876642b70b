"""What a request moves along (its row, its routes, its settlement) finds room on its own page: fewer index entries, and less is written ahead.

A request of no delegation, as most are, has no entry in the index of delegations.
"""

import django.db.models.deletion
from django.db import migrations, models

FILLED = {
    "settlement_request": 50,
    "settlement_requestpayload": 70,
    "settlement_route": 60,
    "settlement_settlement": 50,
}
FORWARD = "".join(f"ALTER TABLE {table} SET (fillfactor = {percent});" for table, percent in FILLED.items())
BACKWARD = "".join(f"ALTER TABLE {table} RESET (fillfactor);" for table in FILLED)


class Migration(migrations.Migration):
    dependencies = [
        ("rights", "0019_room_for_releases"),
        ("settlement", "0016_steps_in_the_trigger"),
    ]

    operations = [
        migrations.AlterField(
            model_name="request",
            name="delegation",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="requests",
                to="rights.delegation",
            ),
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(condition=models.Q(("delegation__isnull", False)), fields=["delegation"], name="request_delegation"),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
