"""An order keeps the rights its owner named and its deadline: an amend adds none but those, and the answer tells both."""

import django.contrib.postgres.fields
from django.db import migrations, models

# Of orders that are there already, from what was asked.
NAMED = """
UPDATE exchange_order o SET
    named_rights = (SELECT array_agg(r::uuid ORDER BY place) FROM json_array_elements_text(c.payload::json -> 'rights') WITH ORDINALITY AS t(r, place)),
    deadline = 'epoch'::timestamptz + (c.payload::json ->> 'deadline_us')::bigint * interval '1 microsecond'
FROM exchange_command c WHERE c.kind = 0 AND c.order_id = o.id AND c.payload ~ '"(rights|deadline_us)":';
"""


class Migration(migrations.Migration):
    dependencies = [("exchange", "0013_words_of_instruments")]
    operations = [
        migrations.AddField(
            model_name="order",
            name="named_rights",
            field=django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), null=True, size=None),
        ),
        migrations.AddField(model_name="order", name="deadline", field=models.DateTimeField(null=True)),
        migrations.RunSQL(NAMED, migrations.RunSQL.noop),
    ]
