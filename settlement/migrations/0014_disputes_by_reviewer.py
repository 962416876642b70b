from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('settlement', '0013_records_of_others'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='dispute',
            index=models.Index(condition=models.Q(('reviewer', ''), _negated=True), fields=['reviewer'], name='dispute_reviewer'),
        ),
    ]
