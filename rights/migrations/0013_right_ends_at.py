from django.db import migrations, models

# rights/domain/window.py; exchange/audit/rights.py asks the same of every right.
FILL = """
UPDATE rights_right r SET ends_at = CASE WHEN s.window_mode = 'rolling' AND r.activated_at IS NOT NULL
    THEN least(s.window_end, r.activated_at + s.epoch_size_s * interval '1 second') ELSE s.window_end END
FROM rights_series s WHERE s.id = r.series_id
"""


class Migration(migrations.Migration):
    dependencies = [
        ("rights", "0012_terms_ended_absorb_nothing"),
    ]

    operations = [
        migrations.AddField(model_name="right", name="ends_at", field=models.DateTimeField(null=True)),
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE;" + FILL, migrations.RunSQL.noop),
        migrations.AlterField(model_name="right", name="ends_at", field=models.DateTimeField()),
        migrations.AddIndex(
            model_name="right",
            index=models.Index(condition=models.Q(("status__in", ("issued", "active"))), fields=["ends_at", "id"], name="right_ends"),
        ),
        migrations.AddIndex(
            model_name="right",
            index=models.Index(
                condition=models.Q(("status__in", ("issued", "active", "frozen"))), fields=["holder", "series"], name="right_holder_live"
            ),
        ),
    ]
