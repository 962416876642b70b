"""The registry's tables, and what the database itself refuses in them: edits of memory, illegal lifecycles, false descent, over-issuance."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.lookups
from django.db import migrations, models

EDGES = [
    ("issued", "active"), ("issued", "frozen"), ("issued", "expired"), ("issued", "burned"),
    ("active", "frozen"), ("active", "expired"), ("active", "fully_consumed"), ("active", "finalized"),
    ("frozen", "issued"), ("frozen", "active"), ("frozen", "fully_consumed"), ("frozen", "expired"),
    ("frozen", "finalized"), ("frozen", "burned"),
    ("fully_consumed", "finalized"), ("fully_consumed", "burned"),
    ("expired", "finalized"), ("expired", "burned"),
]
GUARDS = f"""
-- SPEC §2, lifecycle. The same table stands in rights/domain/lifecycle.py; a test compares the two.
CREATE TABLE rights_lifecycle (from_status varchar(16), to_status varchar(16), PRIMARY KEY (from_status, to_status));
INSERT INTO rights_lifecycle VALUES {", ".join(f"('{a}', '{b}')" for a, b in EDGES)};
ALTER TABLE rights_series ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX event_actor ON rights_event USING btree (split_part(body, '"'::text, 4), id) WHERE (split_part(body, '"'::text, 4) <> 'venue:matcher'::text);
CREATE INDEX series_xid ON rights_series USING btree (xid);
CREATE FUNCTION check_assurance_capacity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.issued_units > floor(floor(NEW.gross_units::numeric * (10000 - NEW.haircut_bps) / 10000) * (10000 + NEW.overbook_bps) / 10000)
       AND (TG_OP = 'INSERT' OR NEW.status <> 'degraded' OR NEW.issued_units > OLD.issued_units) THEN
        RAISE EXCEPTION 'assurance % can not back % units', NEW.id, NEW.issued_units
            USING ERRCODE = 'check_violation', CONSTRAINT = 'assurance_capacity';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION check_right_descends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION 'right % may not get another parent or root', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    -- The parent is there before the child, so no right is ever its own ancestor.
    IF NEW.parent_id IS NULL AND NEW.root_id <> NEW.id OR NEW.parent_id IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM rights_right p WHERE p.id = NEW.parent_id AND p.id <> NEW.id AND p.root_id = NEW.root_id) THEN
        RAISE EXCEPTION 'right % does not descend from root %', NEW.id, NEW.root_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION check_right_lifecycle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM rights_lifecycle WHERE from_status = OLD.status AND to_status = NEW.status) THEN
        RAISE EXCEPTION 'right % may not go from % to %', OLD.id, OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
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
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER anchor_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rights_anchor
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER anchor_span_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rights_anchorspan
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER assurance_capacity_insert BEFORE INSERT ON rights_assurance
    FOR EACH ROW EXECUTE FUNCTION check_assurance_capacity();
CREATE TRIGGER assurance_capacity_update BEFORE UPDATE ON rights_assurance
    FOR EACH ROW EXECUTE FUNCTION check_assurance_capacity();
CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rights_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER link_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rights_rightlink
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER right_descends BEFORE INSERT ON rights_right
    FOR EACH ROW EXECUTE FUNCTION check_right_descends();
CREATE TRIGGER right_keeps_descent BEFORE UPDATE OF parent_id, root_id ON rights_right
    FOR EACH ROW WHEN (((old.parent_id IS DISTINCT FROM new.parent_id) OR (old.root_id IS DISTINCT FROM new.root_id))) EXECUTE FUNCTION check_right_descends();
CREATE TRIGGER right_lifecycle BEFORE UPDATE OF status ON rights_right
    FOR EACH ROW WHEN (((old.status)::text IS DISTINCT FROM (new.status)::text)) EXECUTE FUNCTION check_right_lifecycle();
CREATE TRIGGER source_pledges AFTER INSERT OR DELETE OR UPDATE ON rights_assurancesource
    FOR EACH ROW EXECUTE FUNCTION count_pledge();
CREATE TRIGGER terms_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rights_terms
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE rights_right SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE rights_stream SET (fillfactor = 20, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 500);
ALTER TABLE rights_unitlock SET (fillfactor = 60);
"""


class Migration(migrations.Migration):

    replaces = [
        ('rights', '0001_initial'),
        ('rights', '0002_guards'),
        ('rights', '0003_hot_rows_without_foreign_keys'),
        ('rights', '0004_registry_whole'),
        ('rights', '0005_anchor_guards'),
        ('rights', '0006_supply'),
        ('rights', '0007_journal_refs'),
        ('rights', '0008_scale_one_right_per_root'),
        ('rights', '0009_scale_reads'),
        ('rights', '0010_proofs_event_actor'),
        ('rights', '0011_words_of_parties'),
        ('rights', '0012_terms_ended_absorb_nothing'),
        ('rights', '0013_right_ends_at'),
        ('rights', '0014_series_xid'),
        ('rights', '0015_link_guard'),
        ('rights', '0016_links_of_what_rolled'),
        ('rights', '0017_parts_wholly_at_work'),
        ('rights', '0018_rows_of_requests_without_foreign_keys'),
        ('rights', '0019_room_for_releases'),
    ]

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name='ComputeClass',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=40, unique=True)),
                ('fingerprint', models.CharField(max_length=64, unique=True)),
                ('dimensions', models.JSONField()),
                ('unit', models.CharField(max_length=16)),
                ('lot_size', models.BigIntegerField()),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'verbose_name_plural': 'compute classes',
                'constraints': [models.CheckConstraint(condition=models.Q(('lot_size__gt', 0)), name='class_lot_size')],
            },
        ),
        migrations.CreateModel(
            name='Participant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.CharField(max_length=64, unique=True)),
                ('name', models.CharField(max_length=200)),
                ('status', models.CharField(choices=[('active', 'active'), ('suspended', 'suspended')], default='active', max_length=16)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ('active', 'suspended'))), name='participant_status')],
            },
        ),
        migrations.CreateModel(
            name='Stream',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=120, unique=True)),
                ('last_seq', models.BigIntegerField(default=0)),
                ('last_hash', models.CharField(default='0000000000000000000000000000000000000000000000000000000000000000', max_length=64)),
            ],
        ),
        migrations.CreateModel(
            name='VenueKey',
            fields=[
                ('key_id', models.CharField(max_length=32, primary_key=True, serialize=False)),
                ('public_key', models.CharField(max_length=64)),
                ('created_at', models.DateTimeField()),
                ('retired_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(django.db.models.lookups.IsNull(models.F('retired_at'), True), condition=models.Q(('retired_at__isnull', True)), name='venue_key_live_once')],
            },
        ),
        migrations.CreateModel(
            name='Account',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(unique=True)),
                ('code', models.CharField(blank=True, max_length=80, null=True, unique=True)),
                ('name', models.CharField(max_length=200)),
                ('holder_type', models.CharField(choices=[('user', 'user'), ('agent', 'agent'), ('app', 'app'), ('vault', 'vault'), ('market-maker', 'market-maker')], default='user', max_length=16)),
                ('jurisdiction', models.CharField(blank=True, default='', max_length=16)),
                ('status', models.CharField(choices=[('active', 'active'), ('suspended', 'suspended')], default='active', max_length=16)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('participant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='accounts', to='rights.participant')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('holder_type__in', ('user', 'agent', 'app', 'vault', 'market-maker'))), name='account_holder_type'), models.CheckConstraint(condition=models.Q(('status__in', ('active', 'suspended'))), name='account_status')],
            },
        ),
        migrations.CreateModel(
            name='Anchor',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(unique=True)),
                ('number', models.BigIntegerField(unique=True)),
                ('at', models.DateTimeField()),
                ('leaves', models.BigIntegerField()),
                ('root', models.CharField(max_length=64)),
                ('body', models.TextField()),
                ('hash', models.CharField(max_length=64)),
                ('signature', models.CharField(max_length=128)),
                ('key', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.venuekey')),
            ],
        ),
        migrations.CreateModel(
            name='Event',
            fields=[
                ('pk', models.CompositePrimaryKey('stream_id', 'seq', blank=True, editable=False, primary_key=True, serialize=False)),
                ('seq', models.BigIntegerField()),
                ('id', models.UUIDField()),
                ('type', models.CharField(max_length=48)),
                ('object_id', models.CharField(max_length=48)),
                ('at', models.DateTimeField()),
                ('body', models.TextField()),
                ('hash', models.CharField(max_length=64)),
                ('stream', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, to='rights.stream')),
                ('ref_right', models.CharField(max_length=48, null=True)),
            ],
            options={
                'indexes': [models.Index(fields=['object_id', 'stream', 'seq'], name='event_object'), models.Index(condition=models.Q(('ref_right__isnull', False)), fields=['ref_right', 'stream', 'seq'], name='event_ref_right'), models.Index(condition=models.Q(('type__in', ('right.merged', 'right.split', 'right.transferred', 'trade.executed')), _negated=True), fields=['type', 'stream', 'seq'], name='event_rare_type'), models.Index(fields=['id'], name='event_by_id')],
            },
        ),
        migrations.CreateModel(
            name='Issuer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.CharField(max_length=64, unique=True)),
                ('issuer_type', models.CharField(choices=[('provider', 'provider'), ('market', 'market'), ('coordinator', 'coordinator'), ('vault', 'vault'), ('protocol', 'protocol')], max_length=16)),
                ('tier', models.PositiveSmallIntegerField(default=1)),
                ('issuance_path', models.CharField(default='centralized-coordinator', max_length=32)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('participant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='issuers', to='rights.participant')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('issuance_path__in', ('centralized-coordinator', 'supplier-self', 'registry-federated', 'enterprise-private', 'hybrid')), ('issuer_type__in', ('provider', 'market', 'coordinator', 'vault', 'protocol'))), name='issuer_words')],
            },
        ),
        migrations.CreateModel(
            name='Series',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('window_start', models.DateTimeField()),
                ('window_end', models.DateTimeField()),
                ('window_mode', models.CharField(default='fixed', max_length=8)),
                ('epoch_size_s', models.BigIntegerField(default=0)),
                ('compute_class', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='series', to='rights.computeclass')),
                ('stream', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, to='rights.stream')),
            ],
            options={
                'verbose_name_plural': 'series',
                'constraints': [models.UniqueConstraint(fields=('compute_class', 'window_start', 'window_end', 'window_mode', 'epoch_size_s'), name='series_once'), models.CheckConstraint(condition=models.Q(('window_end__gt', models.F('window_start'))), name='series_window'), models.CheckConstraint(condition=models.Q(('window_mode__in', ('fixed', 'rolling', 'epoch'))), name='series_mode')],
            },
        ),
        migrations.CreateModel(
            name='Supplier',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(unique=True)),
                ('slug', models.CharField(max_length=64, unique=True)),
                ('name', models.CharField(max_length=200)),
                ('region', models.CharField(max_length=16)),
                ('trust_bps', models.IntegerField(default=5000)),
                ('status', models.CharField(choices=[('active', 'active'), ('suspended', 'suspended')], default='active', max_length=16)),
                ('public_key', models.CharField(blank=True, default='', max_length=64)),
                ('created_at', models.DateTimeField()),
                ('participant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='suppliers', to='rights.participant')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('trust_bps__gte', 0), ('trust_bps__lte', 10000)), name='supplier_trust'), models.CheckConstraint(condition=models.Q(('status__in', ('active', 'suspended'))), name='supplier_status')],
            },
        ),
        migrations.CreateModel(
            name='Terms',
            fields=[
                ('terms_hash', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('manifest', models.TextField()),
                ('transfer_policy', models.JSONField()),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('compute_class', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='rights.computeclass')),
            ],
            options={
                'verbose_name_plural': 'terms',
            },
        ),
        migrations.CreateModel(
            name='AnchorSpan',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('first_seq', models.BigIntegerField()),
                ('last_seq', models.BigIntegerField()),
                ('head_hash', models.CharField(max_length=64)),
                ('first_leaf', models.BigIntegerField()),
                ('anchor', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='spans', to='rights.anchor')),
                ('stream', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.stream')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('stream', 'first_seq'), name='anchor_span_once'), models.CheckConstraint(condition=models.Q(('last_seq__gte', models.F('first_seq'))), name='anchor_span_order')],
            },
        ),
        migrations.CreateModel(
            name='Assurance',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(unique=True)),
                ('mode', models.CharField(choices=[('reserved-capacity', 'reserved-capacity'), ('inventory-posted', 'inventory-posted'), ('historical-availability', 'historical-availability'), ('local-allocation', 'local-allocation'), ('hybrid', 'hybrid')], max_length=32)),
                ('reference', models.CharField(max_length=200)),
                ('window_start', models.DateTimeField()),
                ('window_end', models.DateTimeField()),
                ('unit', models.CharField(max_length=16)),
                ('gross_units', models.BigIntegerField()),
                ('haircut_bps', models.IntegerField(default=0)),
                ('overbook_bps', models.IntegerField(default=0)),
                ('overbook_policy', models.JSONField(blank=True, null=True)),
                ('issued_units', models.BigIntegerField(default=0)),
                ('status', models.CharField(choices=[('sound', 'sound'), ('degraded', 'degraded'), ('stale', 'stale')], default='sound', max_length=8)),
                ('refreshed_at', models.DateTimeField()),
                ('stale_after_s', models.BigIntegerField(default=604800)),
                ('created_at', models.DateTimeField()),
                ('compute_class', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='rights.computeclass')),
                ('issuer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='assurances', to='rights.issuer')),
                ('degradation_plan', models.CharField(choices=[('pause-issuance', 'pause-issuance'), ('freeze-unsold', 'freeze-unsold'), ('halt-books', 'halt-books')], default='pause-issuance', max_length=20)),
                ('degraded_at', models.DateTimeField(blank=True, null=True)),
                ('revision', models.PositiveIntegerField(default=1)),
            ],
            options={
                'indexes': [models.Index(fields=['compute_class', 'window_start', 'window_end'], name='assurance_backs'), models.Index(condition=models.Q(('status', 'sound')), fields=['window_end'], name='assurance_due')],
                'constraints': [models.CheckConstraint(condition=models.Q(('overbook_bps__gte', 0), ('overbook_bps__lte', 10000)), name='assurance_overbook'), models.CheckConstraint(condition=models.Q(('window_end__gt', models.F('window_start'))), name='assurance_window'), models.CheckConstraint(condition=models.Q(('gross_units__gte', 0), ('haircut_bps__gte', 0), ('haircut_bps__lte', 10000)), name='assurance_gross'), models.CheckConstraint(condition=models.Q(('degradation_plan__in', ('pause-issuance', 'freeze-unsold', 'halt-books')), ('mode__in', ('reserved-capacity', 'inventory-posted', 'historical-availability', 'local-allocation', 'hybrid')), ('status__in', ('sound', 'degraded', 'stale'))), name='assurance_words'), models.UniqueConstraint(fields=('issuer', 'reference', 'compute_class', 'window_start', 'window_end'), name='assurance_once')],
            },
        ),
        migrations.CreateModel(
            name='Attestation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(unique=True)),
                ('kind', models.CharField(max_length=40)),
                ('value', models.CharField(blank=True, default='', max_length=40)),
                ('evidence', models.CharField(max_length=200)),
                ('attested_by', models.CharField(max_length=80)),
                ('attested_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='attestations', to='rights.account')),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('revoked_at__isnull', True)), fields=('account', 'kind'), name='attestation_once'), models.CheckConstraint(condition=models.Q(('expires_at__isnull', True), ('expires_at__gt', models.F('attested_at')), _connector='OR'), name='attestation_expiry')],
            },
        ),
        migrations.CreateModel(
            name='Capability',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(unique=True)),
                ('workload', models.CharField(max_length=32)),
                ('quality_band', models.CharField(max_length=16)),
                ('latency_band', models.CharField(max_length=16)),
                ('privacy_mode', models.CharField(max_length=16)),
                ('environment', models.CharField(max_length=32)),
                ('constraints', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), default=list, size=None)),
                ('availability', models.CharField(max_length=16)),
                ('unit', models.CharField(max_length=16)),
                ('tariff_minor', models.BigIntegerField(default=0)),
                ('tariff_units', models.BigIntegerField(default=1)),
                ('currency', models.CharField(default='USD', max_length=8)),
                ('reliability_bps', models.IntegerField(blank=True, null=True)),
                ('created_at', models.DateTimeField()),
                ('retired_at', models.DateTimeField(blank=True, null=True)),
                ('supplier', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='capabilities', to='rights.supplier')),
            ],
            options={
                'verbose_name_plural': 'capabilities',
                'constraints': [models.CheckConstraint(condition=models.Q(('availability__in', ('reserved', 'on-demand', 'burst', 'spot', 'scheduled-window')), ('environment__in', ('centralized-api', 'dedicated-cluster', 'private-gateway', 'decentralized-network', 'local-runtime', 'agent-hosted-runtime')), ('latency_band__in', ('realtime', 'interactive', 'async', 'batch')), ('privacy_mode__in', ('local-isolated', 'private-cluster', 'trusted-network', 'shared-remote', 'public-network')), ('quality_band__in', ('economy', 'standard', 'high', 'premium', 'deterministic')), ('workload__in', ('text.generation', 'text.classification', 'text.embedding', 'image.generation', 'image.edit', 'audio.transcription', 'audio.synthesis', 'video.generation', 'tool.agent-runtime', 'tool.browser-runtime', 'tool.code-runtime', 'gpu.batch', 'custom'))), name='capability_axes'), models.CheckConstraint(condition=models.Q(('tariff_minor__gte', 0), ('tariff_units__gt', 0)), name='capability_tariff'), models.CheckConstraint(condition=models.Q(('reliability_bps__isnull', True), models.Q(('reliability_bps__gte', 0), ('reliability_bps__lte', 10000)), _connector='OR'), name='capability_reliability')],
            },
        ),
        migrations.CreateModel(
            name='Package',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(unique=True)),
                ('type', models.CharField(choices=[('bundle', 'bundle'), ('slice', 'slice'), ('tranche', 'tranche'), ('delegation', 'delegation'), ('strategy', 'strategy')], max_length=16)),
                ('label', models.CharField(max_length=120)),
                ('policy', models.JSONField()),
                ('rules', models.JSONField(default=dict)),
                ('state', models.CharField(default='active', max_length=16)),
                ('revision', models.PositiveIntegerField(default=1)),
                ('created_at', models.DateTimeField()),
                ('updated_at', models.DateTimeField()),
                ('controller', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.account')),
                ('holder', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='packages', to='rights.account')),
                ('parent', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='children', to='rights.package')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ('active', 'finalized')), ('type__in', ('bundle', 'slice', 'tranche', 'delegation', 'strategy'))), name='package_words')],
            },
        ),
        migrations.CreateModel(
            name='RoleGrant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(unique=True)),
                ('role', models.CharField(choices=[('issuer', 'issuer'), ('consumer', 'consumer'), ('freezer', 'freezer'), ('finalizer', 'finalizer'), ('burner', 'burner'), ('registry_admin', 'registry_admin')], max_length=16)),
                ('granted_by', models.CharField(max_length=80)),
                ('granted_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('issuer', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.issuer')),
                ('participant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='roles', to='rights.participant')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('role__in', ('issuer', 'consumer', 'freezer', 'finalizer', 'burner', 'registry_admin'))), name='role_known'), models.UniqueConstraint(condition=models.Q(('revoked_at__isnull', True)), fields=('participant', 'role', 'issuer'), name='role_granted_once', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='PlanAct',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('act', models.CharField(choices=[('freeze', 'freeze'), ('halt', 'halt')], max_length=8)),
                ('object_id', models.CharField(max_length=64)),
                ('done_at', models.DateTimeField()),
                ('lifted_at', models.DateTimeField(blank=True, null=True)),
                ('assurance', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='plan_acts', to='rights.assurance')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('act__in', ('freeze', 'halt'))), name='plan_act_known'), models.UniqueConstraint(condition=models.Q(('lifted_at__isnull', True)), fields=('assurance', 'object_id'), name='plan_act_once')],
            },
        ),
        migrations.CreateModel(
            name='PostedCapacity',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('window_start', models.DateTimeField()),
                ('window_end', models.DateTimeField()),
                ('units', models.BigIntegerField()),
                ('pledged_units', models.BigIntegerField(default=0)),
                ('revision', models.PositiveIntegerField(default=1)),
                ('posted_at', models.DateTimeField()),
                ('capability', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='capacity', to='rights.capability')),
                ('issuers', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), default=list, size=None)),
            ],
            options={
                'verbose_name_plural': 'posted capacity',
                'constraints': [models.UniqueConstraint(fields=('capability', 'window_start', 'window_end'), name='capacity_once'), models.CheckConstraint(condition=models.Q(('window_end__gt', models.F('window_start'))), name='capacity_window'), models.CheckConstraint(condition=models.Q(('pledged_units__gte', 0), ('units__gte', 0)), name='capacity_units'), models.CheckConstraint(condition=models.Q(('pledged_units__lte', models.F('units'))), name='capacity_pledged')],
            },
        ),
        migrations.CreateModel(
            name='Right',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('status', models.CharField(default='issued', max_length=16)),
                ('prior_status', models.CharField(blank=True, default='', max_length=16)),
                ('freeze_reason', models.CharField(blank=True, default='', max_length=16)),
                ('max_units', models.BigIntegerField()),
                ('remaining_units', models.BigIntegerField()),
                ('reserved_units', models.BigIntegerField(default=0)),
                ('root_id', models.UUIDField()),
                ('netted', models.BooleanField(default=False)),
                ('activated_at', models.DateTimeField(null=True)),
                ('acquired_at', models.DateTimeField()),
                ('created_at', models.DateTimeField()),
                ('updated_at', models.DateTimeField()),
                ('assurance', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='rights.assurance')),
                ('controller', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.account')),
                ('holder', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='rights', to='rights.account')),
                ('issuer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, to='rights.issuer')),
                ('parent', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='children', to='rights.right')),
                ('series', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='rights', to='rights.series')),
                ('terms', models.ForeignKey(db_column='terms_hash', on_delete=django.db.models.deletion.PROTECT, to='rights.terms')),
                ('epoch_at', models.DateTimeField(null=True)),
                ('epoch_used_units', models.BigIntegerField(db_default=0, default=0)),
                ('finalization_ref', models.CharField(blank=True, db_default='', default='', max_length=80)),
                ('metadata', models.JSONField(blank=True, null=True)),
                ('ends_at', models.DateTimeField()),
            ],
            options={
                'indexes': [models.Index(fields=['holder', 'series', 'id'], name='right_holder_series'), models.Index(fields=['holder', 'status', 'id'], name='right_holder_status'), models.Index(fields=['issuer', 'status', 'id'], name='right_issuer_status'), models.Index(fields=['series', 'status', 'id'], name='right_series_status'), models.Index(fields=['status', 'id'], name='right_status'), models.Index(fields=['parent', 'id'], name='right_parent'), models.Index(fields=['root_id', 'id'], name='right_root'), models.Index(fields=['root_id', 'holder'], name='right_root_holder'), models.Index(condition=models.Q(('status__in', ('issued', 'active'))), fields=['ends_at', 'id'], name='right_ends'), models.Index(condition=models.Q(('status__in', ('issued', 'active', 'frozen'))), fields=['holder', 'series'], name='right_holder_live')],
                'constraints': [models.CheckConstraint(condition=models.Q(('max_units__gte', models.F('remaining_units')), ('remaining_units__gte', models.F('reserved_units')), ('reserved_units__gte', 0)), name='right_units'), models.CheckConstraint(condition=models.Q(('status__in', ('issued', 'active', 'frozen', 'fully_consumed', 'expired', 'finalized', 'burned'))), name='right_status'), models.CheckConstraint(condition=models.Q(models.Q(('freeze_reason__in', ('issuer_pause', 'dispute', 'compliance', 'settlement_lock', 'governance', 'custom')), ('status', 'frozen')), models.Q(('freeze_reason', ''), models.Q(('status', 'frozen'), _negated=True)), _connector='OR'), name='right_freeze_reason'), models.CheckConstraint(condition=models.Q(('epoch_used_units__gte', 0)), name='right_epoch_used'), models.UniqueConstraint(condition=models.Q(('netted', True), ('status__in', ('issued', 'active'))), fields=('root_id', 'holder', 'activated_at'), name='right_netted_once', nulls_distinct=False), models.CheckConstraint(condition=models.Q(('netted', False), ('status__in', ('issued', 'active')), _connector='OR'), name='right_netted_open')],
            },
        ),
        migrations.CreateModel(
            name='AssuranceSource',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('units', models.BigIntegerField()),
                ('assurance', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='sources', to='rights.assurance')),
                ('capacity', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='assurances', to='rights.postedcapacity')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('assurance', 'capacity'), name='assurance_source_once'), models.CheckConstraint(condition=models.Q(('units__gt', 0)), name='assurance_source_units')],
            },
        ),
        migrations.CreateModel(
            name='Consent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(unique=True)),
                ('kind', models.CharField(choices=[('consent', 'consent'), ('acknowledgment', 'acknowledgment')], max_length=16)),
                ('scope', models.CharField(choices=[('transfer', 'transfer'), ('counterparty', 'counterparty'), ('standing', 'standing')], max_length=16)),
                ('state', models.CharField(choices=[('pending', 'pending'), ('granted', 'granted'), ('denied', 'denied'), ('revoked', 'revoked'), ('expired', 'expired'), ('used', 'used')], max_length=8)),
                ('root_id', models.UUIDField(null=True)),
                ('terms_hash', models.CharField(blank=True, default='', max_length=64)),
                ('units', models.BigIntegerField(null=True)),
                ('note', models.CharField(blank=True, default='', max_length=500)),
                ('answer_note', models.CharField(blank=True, default='', max_length=500)),
                ('requested_by', models.CharField(max_length=80)),
                ('decided_by', models.CharField(blank=True, default='', max_length=80)),
                ('requested_at', models.DateTimeField()),
                ('deadline_at', models.DateTimeField(null=True)),
                ('decided_at', models.DateTimeField(null=True)),
                ('expires_at', models.DateTimeField(null=True)),
                ('used_at', models.DateTimeField(null=True)),
                ('giver', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='consents_asked', to='rights.account')),
                ('issuer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='consents', to='rights.issuer')),
                ('right', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.right')),
                ('taker', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.account')),
            ],
            options={
                'indexes': [models.Index(fields=['issuer', 'state', '-id'], name='consent_inbox'), models.Index(condition=models.Q(('state', 'granted')), fields=['right', 'taker'], name='consent_of_right'), models.Index(condition=models.Q(('state', 'granted')), fields=['issuer', 'kind', 'terms_hash', 'root_id'], name='consent_live')],
                'constraints': [models.CheckConstraint(condition=models.Q(('kind__in', ('consent', 'acknowledgment')), ('scope__in', ('transfer', 'counterparty', 'standing')), ('state__in', ('pending', 'granted', 'denied', 'revoked', 'expired', 'used'))), name='consent_words'), models.CheckConstraint(condition=models.Q(models.Q(('right__isnull', False), ('scope', 'transfer'), ('taker__isnull', False), ('units__gt', 0)), models.Q(('scope', 'counterparty'), ('taker__isnull', False), ('units__isnull', True)), models.Q(('scope', 'standing'), ('taker__isnull', True), ('units__isnull', True)), _connector='OR'), name='consent_scope'), models.CheckConstraint(condition=models.Q(models.Q(('scope', 'transfer'), ('used_at__isnull', False)), models.Q(('state', 'used'), _negated=True), _connector='OR'), name='consent_used')],
            },
        ),
        migrations.CreateModel(
            name='Delegation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(unique=True)),
                ('max_units', models.BigIntegerField()),
                ('used_units', models.BigIntegerField(default=0)),
                ('passed_units', models.BigIntegerField(default=0)),
                ('workload_classes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=32), default=list, size=None)),
                ('valid_from', models.DateTimeField()),
                ('valid_until', models.DateTimeField()),
                ('fallback_allowed', models.BooleanField(default=False)),
                ('subdelegation_allowed', models.BooleanField(default=False)),
                ('state', models.CharField(default='active', max_length=8)),
                ('created_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('delegate', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='delegations_taken', to='rights.account')),
                ('delegator', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='delegations_given', to='rights.account')),
                ('parent', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='children', to='rights.delegation')),
                ('right', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='delegations', to='rights.right')),
                ('package', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='delegations', to='rights.package')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('right__isnull', False), ('package__isnull', False), _connector='XOR'), name='delegation_of_one'), models.CheckConstraint(condition=models.Q(('max_units__gt', 0), ('max_units__gte', django.db.models.expressions.CombinedExpression(models.F('used_units'), '+', models.F('passed_units'))), ('passed_units__gte', 0), ('used_units__gte', 0)), name='delegation_units'), models.CheckConstraint(condition=models.Q(('valid_until__gt', models.F('valid_from'))), name='delegation_time'), models.CheckConstraint(condition=models.Q(('state__in', ('active', 'revoked', 'expired'))), name='delegation_state')],
            },
        ),
        migrations.CreateModel(
            name='PackagePart',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveSmallIntegerField()),
                ('units', models.BigIntegerField()),
                ('tier', models.CharField(blank=True, default='', max_length=8)),
                ('branch', models.CharField(blank=True, default='', max_length=40)),
                ('removed_at', models.DateTimeField(null=True)),
                ('package', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='parts', to='rights.package')),
                ('right', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.right')),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('removed_at__isnull', True)), fields=('package', 'right'), name='package_part_once'), models.UniqueConstraint(condition=models.Q(('removed_at__isnull', True)), fields=('package', 'position'), name='package_part_position'), models.CheckConstraint(condition=models.Q(('tier__in', ('', 'baseline', 'overflow')), ('units__gte', 0)), name='package_part_words')],
            },
        ),
        migrations.CreateModel(
            name='RightLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('replaced', 'replaced'), ('reissued', 'reissued'), ('migrated', 'migrated'), ('rolled', 'rolled')], max_length=8)),
                ('units', models.BigIntegerField()),
                ('reason', models.CharField(max_length=500)),
                ('created_at', models.DateTimeField()),
                ('former', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='successors', to='rights.right')),
                ('latter', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='predecessors', to='rights.right')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('former', 'latter'), name='right_link_once'), models.CheckConstraint(condition=models.Q(('kind__in', ('replaced', 'reissued', 'migrated', 'rolled')), ('units__gt', 0)), name='right_link_words')],
            },
        ),
        migrations.CreateModel(
            name='UnitLock',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('attached_slice', 'attached_slice'), ('route_lock', 'route_lock'), ('dispute', 'dispute')], max_length=16)),
                ('ref', models.CharField(max_length=48)),
                ('units', models.BigIntegerField()),
                ('created_at', models.DateTimeField()),
                ('released_at', models.DateTimeField(null=True)),
                ('right', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='locks', to='rights.right')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('released_at__isnull', True)), fields=['ref'], name='unit_lock_ref')],
                'constraints': [models.CheckConstraint(condition=models.Q(('units__gt', 0)), name='unit_lock_units'), models.CheckConstraint(condition=models.Q(('kind__in', ('attached_slice', 'route_lock', 'dispute'))), name='unit_lock_kind'), models.UniqueConstraint(condition=models.Q(('released_at__isnull', True)), fields=('right', 'ref'), name='unit_lock_once')],
            },
        ),
        migrations.RunSQL(GUARDS, migrations.RunSQL.noop),
    ]
