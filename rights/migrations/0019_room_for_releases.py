"""A lock of units is released once: on its own page, which saves writing it down whole."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("rights", "0018_rows_of_requests_without_foreign_keys")]
    operations = [
        migrations.RunSQL("ALTER TABLE rights_unitlock SET (fillfactor = 60);", "ALTER TABLE rights_unitlock RESET (fillfactor);"),
    ]
