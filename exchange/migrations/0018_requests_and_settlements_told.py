"""An account hears of requests and settlements too, on channels with numbers of their own."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("exchange", "0017_instruments_leave_the_list")]
    operations = [
        migrations.AddField(model, f"{channel}_seq", models.BigIntegerField(db_default=0))
        for model in ("accountfeed", "accountmessage")
        for channel in ("requests", "settlements")
    ]
