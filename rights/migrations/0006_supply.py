"""Supply: pledges of posted capacity counted by the database, drift of assurances, what their plans did."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

# Assurances of before: the plan was free text that nothing followed, and the moment was the clock's, not the event's.
TELL = "UPDATE rights_assurance SET degradation_plan = 'pause-issuance', created_at = refreshed_at;"

FORWARD = """
-- Capacity that drifts away never rewrites what was issued (SPEC §7): such an assurance is degraded, and no row says otherwise.
CREATE OR REPLACE FUNCTION check_assurance_capacity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.issued_units > floor(floor(NEW.gross_units::numeric * (10000 - NEW.haircut_bps) / 10000) * (10000 + NEW.overbook_bps) / 10000)
       AND (TG_OP = 'INSERT' OR NEW.status <> 'degraded' OR NEW.issued_units > OLD.issued_units) THEN
        RAISE EXCEPTION 'assurance % can not back % units', NEW.id, NEW.issued_units
            USING ERRCODE = 'check_violation', CONSTRAINT = 'assurance_capacity';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER assurance_capacity_update ON rights_assurance;
CREATE TRIGGER assurance_capacity_update BEFORE UPDATE ON rights_assurance FOR EACH ROW EXECUTE FUNCTION check_assurance_capacity();

-- Pledges are counted where they are made, so that `capacity_pledged` (a CHECK) holds however many pledge at once.
CREATE FUNCTION count_pledge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE rights_postedcapacity SET pledged_units = pledged_units - OLD.units WHERE id = OLD.capacity_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        UPDATE rights_postedcapacity SET pledged_units = pledged_units + NEW.units WHERE id = NEW.capacity_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER source_pledges AFTER INSERT OR UPDATE OR DELETE ON rights_assurancesource FOR EACH ROW EXECUTE FUNCTION count_pledge();
"""

BACKWARD = """
DROP TRIGGER source_pledges ON rights_assurancesource;
DROP FUNCTION count_pledge();
CREATE OR REPLACE FUNCTION check_assurance_capacity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.issued_units > floor(floor(NEW.gross_units::numeric * (10000 - NEW.haircut_bps) / 10000) * (10000 + NEW.overbook_bps) / 10000) THEN
        RAISE EXCEPTION 'assurance % can not back % units', NEW.id, NEW.issued_units
            USING ERRCODE = 'check_violation', CONSTRAINT = 'assurance_capacity';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER assurance_capacity_update ON rights_assurance;
CREATE TRIGGER assurance_capacity_update BEFORE UPDATE ON rights_assurance
    FOR EACH ROW WHEN (NEW.issued_units > OLD.issued_units) EXECUTE FUNCTION check_assurance_capacity();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('rights', '0005_anchor_guards'),
    ]

    operations = [
        migrations.RunSQL(TELL, migrations.RunSQL.noop),
        migrations.CreateModel(
            name='PlanAct',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('act', models.CharField(choices=[('freeze', 'freeze'), ('halt', 'halt')], max_length=8)),
                ('object_id', models.CharField(max_length=64)),
                ('done_at', models.DateTimeField()),
                ('lifted_at', models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='assurance',
            name='assurance_gross',
        ),
        migrations.AddField(
            model_name='postedcapacity',
            name='issuers',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), default=list, size=None),
        ),
        migrations.AlterField(
            model_name='assurance',
            name='created_at',
            field=models.DateTimeField(),
        ),
        migrations.AlterField(
            model_name='assurance',
            name='degradation_plan',
            field=models.CharField(choices=[('pause-issuance', 'pause-issuance'), ('freeze-unsold', 'freeze-unsold'), ('halt-books', 'halt-books')], default='pause-issuance', max_length=20),
        ),
        migrations.AddIndex(
            model_name='assurance',
            index=models.Index(fields=['compute_class', 'window_start', 'window_end'], name='assurance_backs'),
        ),
        migrations.AddConstraint(
            model_name='assurance',
            constraint=models.CheckConstraint(condition=models.Q(('gross_units__gte', 0), ('haircut_bps__gte', 0), ('haircut_bps__lte', 10000)), name='assurance_gross'),
        ),
        migrations.AddConstraint(
            model_name='assurance',
            constraint=models.CheckConstraint(condition=models.Q(('degradation_plan__in', ('pause-issuance', 'freeze-unsold', 'halt-books')), ('mode__in', ('reserved-capacity', 'inventory-posted', 'historical-availability', 'local-allocation', 'hybrid')), ('status__in', ('sound', 'degraded', 'stale'))), name='assurance_words'),
        ),
        migrations.AddConstraint(
            model_name='postedcapacity',
            constraint=models.CheckConstraint(condition=models.Q(('pledged_units__lte', models.F('units'))), name='capacity_pledged'),
        ),
        migrations.AddField(
            model_name='planact',
            name='assurance',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='plan_acts', to='rights.assurance'),
        ),
        migrations.AddConstraint(
            model_name='planact',
            constraint=models.CheckConstraint(condition=models.Q(('act__in', ('freeze', 'halt'))), name='plan_act_known'),
        ),
        migrations.AddConstraint(
            model_name='planact',
            constraint=models.UniqueConstraint(condition=models.Q(('lifted_at__isnull', True)), fields=('assurance', 'object_id'), name='plan_act_once'),
        ),
        migrations.AddIndex(
            model_name='assurance',
            index=models.Index(condition=models.Q(('status', 'sound')), fields=['window_end'], name='assurance_due'),
        ),
        migrations.AddConstraint(
            model_name='assurance',
            constraint=models.UniqueConstraint(fields=('issuer', 'reference', 'compute_class', 'window_start', 'window_end'), name='assurance_once'),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
