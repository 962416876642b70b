"""What a holder buys of one root grows in one right, whichever right of that root it came from."""

from django.db import migrations, models

# Of several that a holder has of one root, the one that came last goes on (exchange/replay/right_state.py says the same of old events).
ONE_GOES_ON = """
UPDATE rights_right r SET netted = false FROM (
    SELECT id, row_number() OVER (PARTITION BY root_id, holder_id, activated_at ORDER BY created_at DESC, id DESC) AS place
    FROM rights_right WHERE netted) n
WHERE n.id = r.id AND n.place > 1
"""


class Migration(migrations.Migration):
    dependencies = [("rights", "0007_journal_refs")]

    operations = [
        migrations.RemoveConstraint(model_name="right", name="right_netted_once"),
        migrations.RunSQL(ONE_GOES_ON, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="right",
            constraint=models.UniqueConstraint(
                fields=["root_id", "holder", "activated_at"],
                condition=models.Q(netted=True, status__in=("issued", "active")),
                nulls_distinct=False,
                name="right_netted_once",
            ),
        ),
    ]
