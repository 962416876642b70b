"""Unread commands are few and found by the mark (services/pending.py): their order ids need no index of their own."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("exchange", "0006_hot_rows_without_foreign_keys")]
    operations = [
        migrations.RunSQL("DROP INDEX command_place_order;", "CREATE INDEX command_place_order ON exchange_command (order_id) WHERE kind = 0;")
    ]
