"""Keys with limits, what they have entered, and what they asked a member to approve."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


FORWARD = """
CREATE TRIGGER key_draw_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON exchange_keydraw
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER approval_kept BEFORE DELETE OR TRUNCATE ON exchange_orderapproval FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
BACKWARD = """
DROP TRIGGER approval_kept ON exchange_orderapproval;
DROP TRIGGER key_draw_append_only ON exchange_keydraw;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('exchange', '0015_standing_policies'),
        ('rights', '0014_series_xid'),
    ]

    operations = [
        migrations.AddField(
            model_name='apikey',
            name='approval_above_minor',
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='apikey',
            name='bounded',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='apikey',
            name='classes',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), blank=True, default=list, size=None),
        ),
        migrations.AddField(
            model_name='apikey',
            name='max_daily_minor',
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='apikey',
            name='max_order_minor',
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='apikey',
            name='networks',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=43), blank=True, default=list, size=None),
        ),
        migrations.CreateModel(
            name='KeyDraw',
            fields=[
                ('command', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='+', serialize=False, to='exchange.command')),
                ('order_id', models.UUIDField()),
                ('day', models.DateField()),
                ('is_buy', models.BooleanField()),
                ('notional_minor', models.BigIntegerField()),
                ('price_ticks', models.BigIntegerField()),
                ('quantity_lots', models.BigIntegerField()),
                ('key', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='exchange.apikey')),
            ],
            options={
                'indexes': [models.Index(fields=['key', 'day'], name='key_draw_day'), models.Index(fields=['order_id'], name='key_draw_order')],
                'constraints': [models.CheckConstraint(condition=models.Q(('notional_minor__gte', 0), ('price_ticks__gt', 0), ('quantity_lots__gt', 0)), name='key_draw')],
            },
        ),
        migrations.CreateModel(
            name='OrderApproval',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(unique=True)),
                ('side', models.PositiveSmallIntegerField()),
                ('price_ticks', models.BigIntegerField()),
                ('quantity_lots', models.BigIntegerField()),
                ('notional_minor', models.BigIntegerField()),
                ('state', models.CharField(choices=[('pending', 'pending'), ('granted', 'granted'), ('denied', 'denied'), ('used', 'used'), ('replaced', 'replaced')], default='pending', max_length=8)),
                ('decided_by', models.CharField(blank=True, default='', max_length=80)),
                ('note', models.CharField(blank=True, default='', max_length=200)),
                ('order_id', models.UUIDField(null=True)),
                ('asked_at', models.DateTimeField()),
                ('decided_at', models.DateTimeField(null=True)),
                ('expires_at', models.DateTimeField()),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.account')),
                ('book', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='exchange.book')),
                ('key', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='exchange.apikey')),
            ],
            options={
                'indexes': [models.Index(fields=['account', 'id'], name='approval_account')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ('pending', 'granted', 'denied', 'used', 'replaced'))), name='approval_state'), models.UniqueConstraint(condition=models.Q(('state', 'pending')), fields=('key', 'book', 'side'), name='approval_pending_once')],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
