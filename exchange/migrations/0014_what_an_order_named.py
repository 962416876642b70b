"""An order keeps the rights its owner named and its deadline: an amend adds none but those, and the answer tells both."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("exchange", "0013_words_of_instruments")]
    operations = [
        migrations.AddField(
            model_name="order",
            name="named_rights",
            field=django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), null=True, size=None),
        ),
        migrations.AddField(model_name="order", name="deadline", field=models.DateTimeField(null=True)),
    ]
