"""A new venue settles in dollars (micro-dollars inside) from its first day."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("settlement", "0003_hot_rows_without_foreign_keys")]
    operations = [
        migrations.RunSQL(
            "INSERT INTO settlement_asset (code, kind, scale) VALUES ('USD', 'cash', 6) ON CONFLICT DO NOTHING;",
            migrations.RunSQL.noop,
        )
    ]
