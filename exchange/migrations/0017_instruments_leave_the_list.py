"""An instrument leaves the list when its window is over; those that are on it are found by an index."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("exchange", "0016_bounded_keys")]
    operations = [
        migrations.AddField("instrument", "delisted_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddIndex("instrument", models.Index(fields=["id"], condition=Q(delisted_at__isnull=True), name="instrument_listed")),
    ]
