"""A new order can be asked about by its id before a batch has applied it."""

from django.db import migrations

FORWARD = "CREATE INDEX command_place_order ON exchange_command (order_id) WHERE kind = 0;"
BACKWARD = "DROP INDEX command_place_order;"


class Migration(migrations.Migration):
    dependencies = [("exchange", "0003_accountfeed_suspended")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
