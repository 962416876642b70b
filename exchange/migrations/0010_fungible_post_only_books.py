"""A command that keeps takers out of a book, or lets them in again."""

from django.db import migrations, models

KINDS = [(0, "Place"), (1, "Amend"), (2, "Cancel"), (3, "Cancel Many"), (4, "Set Phase"), (5, "Set Post Only")]


class Migration(migrations.Migration):
    dependencies = [("exchange", "0009_listings_and_blocks")]
    operations = [migrations.AlterField(model_name="command", name="kind", field=models.PositiveSmallIntegerField(choices=KINDS))]
