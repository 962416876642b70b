"""Suspension is seen under the lock that every batch takes on the accounts it changes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("exchange", "0002_guards")]
    operations = [migrations.AddField("accountfeed", "suspended", models.BooleanField(default=False))]
