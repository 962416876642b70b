from django.db import migrations, models

# What ended was marked on, and might have been found again by whoever reads marks without the status.
UNMARK = "SET CONSTRAINTS ALL IMMEDIATE; UPDATE rights_right SET netted = false WHERE netted AND status NOT IN ('issued', 'active')"


class Migration(migrations.Migration):
    dependencies = [
        ("rights", "0011_words_of_parties"),
    ]

    operations = [
        migrations.RunSQL(UNMARK, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="right",
            constraint=models.CheckConstraint(
                condition=models.Q(("netted", False), ("status__in", ("issued", "active")), _connector="OR"),
                name="right_netted_open",
            ),
        ),
    ]
