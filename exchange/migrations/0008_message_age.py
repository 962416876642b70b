"""Old private messages are found by a small block-range index: rows lie in the order of their moments."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("exchange", "0007_fewer_command_indexes")]
    operations = [
        migrations.RunSQL(
            "CREATE INDEX account_message_at ON exchange_accountmessage USING brin (at);", "DROP INDEX account_message_at;"
        )
    ]
