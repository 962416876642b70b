"""The tables of money and of use, and what the database itself refuses in them: edits of memory, and steps that SPEC §9 does not know."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

from settlement.domain.settlement_states import steps

RULES = ", ".join(f"('{start}', '{event}', '{end}')" for start, event, end in steps())
STEPS = ",".join(" ".join(step) for step in steps())
GUARDS = f"""
INSERT INTO settlement_asset (code, kind, scale) VALUES ('USD', 'cash', 6);
INSERT INTO settlement_settlementrule (start, event, "end") VALUES {RULES};
CREATE FUNCTION check_settlement_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        RAISE EXCEPTION 'a settlement begins unsettled, not %', NEW.state USING ERRCODE = 'check_violation', CONSTRAINT = 'settlement_step';
    ELSIF NEW.id <> OLD.id OR NEW.request_id <> OLD.request_id THEN
        RAISE EXCEPTION 'a settlement stays with its request' USING ERRCODE = 'check_violation', CONSTRAINT = 'settlement_step';
    ELSIF NEW.state <> OLD.state AND concat_ws(' ', OLD.state, NEW.last_event, NEW.state) <> ALL ('{{{STEPS}}}'::text[]) THEN
        RAISE EXCEPTION 'settlement % may not go from % by % to %', NEW.id, OLD.state, NEW.last_event, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'settlement_step';
    ELSIF OLD.state = 'finalized' AND NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'settlement % is final', NEW.id USING ERRCODE = 'check_violation', CONSTRAINT = 'settlement_step';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER evidence_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON settlement_evidence
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER posting_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON settlement_posting
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER proof_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON settlement_proof
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER rule_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON settlement_settlementrule
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER settlement_begins BEFORE INSERT ON settlement_settlement
    FOR EACH ROW WHEN (((new.state)::text <> 'unsettled'::text)) EXECUTE FUNCTION check_settlement_step();
CREATE TRIGGER settlement_stays BEFORE DELETE OR TRUNCATE ON settlement_settlement
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER settlement_step BEFORE UPDATE ON settlement_settlement
    FOR EACH ROW EXECUTE FUNCTION check_settlement_step();
ALTER TABLE settlement_balance SET (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);
ALTER TABLE settlement_outcometally SET (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);
ALTER TABLE settlement_request SET (fillfactor = 50);
ALTER TABLE settlement_requestpayload SET (fillfactor = 70);
ALTER TABLE settlement_route SET (fillfactor = 60);
ALTER TABLE settlement_settlement SET (fillfactor = 50);
"""


class Migration(migrations.Migration):

    replaces = [
        ('settlement', '0001_initial'),
        ('settlement', '0002_guards'),
        ('settlement', '0003_hot_rows_without_foreign_keys'),
        ('settlement', '0004_us_dollar'),
        ('settlement', '0005_statements_through_trades'),
        ('settlement', '0006_terms_burned_given_back'),
        ('settlement', '0007_using_rights'),
        ('settlement', '0008_settlement_guards'),
        ('settlement', '0009_endpoints_inside'),
        ('settlement', '0010_nodes'),
        ('settlement', '0011_outcome_tallies'),
        ('settlement', '0012_routes_of_packages'),
        ('settlement', '0013_records_of_others'),
        ('settlement', '0014_disputes_by_reviewer'),
        ('settlement', '0015_rows_of_requests_without_foreign_keys'),
        ('settlement', '0016_steps_in_the_trigger'),
        ('settlement', '0017_room_for_steps'),
    ]

    initial = True

    dependencies = [("rights", "0001_squashed_0019_room_for_releases")]

    operations = [
        migrations.CreateModel(
            name='Asset',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=64, unique=True)),
                ('kind', models.CharField(choices=[('cash', 'cash'), ('units', 'units')], max_length=8)),
                ('scale', models.PositiveSmallIntegerField(default=0)),
                ('root_right', models.UUIDField(null=True, unique=True)),
            ],
        ),
        migrations.CreateModel(
            name='Endpoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(unique=True)),
                ('adapter', models.CharField(choices=[('openai', 'openai'), ('node-network', 'node-network'), ('batch', 'batch'), ('command', 'command')], max_length=16)),
                ('base_url', models.CharField(blank=True, default='', max_length=300)),
                ('model', models.CharField(blank=True, default='', max_length=120)),
                ('secret', models.TextField(blank=True, default='')),
                ('timeout_ms', models.IntegerField(default=30000)),
                ('max_attempts', models.PositiveSmallIntegerField(default=2)),
                ('status', models.CharField(choices=[('active', 'active'), ('paused', 'paused')], default='active', max_length=8)),
                ('created_at', models.DateTimeField()),
                ('capability', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='endpoints', to='rights.capability')),
                ('inside', models.BooleanField(default=False)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('adapter__in', ('openai', 'node-network', 'batch', 'command')), ('status__in', ('active', 'paused'))), name='endpoint_words'), models.CheckConstraint(condition=models.Q(('max_attempts__gt', 0), ('timeout_ms__gt', 0)), name='endpoint_bounds'), models.UniqueConstraint(condition=models.Q(('status', 'active')), fields=('capability',), name='endpoint_active_once')],
            },
        ),
        migrations.CreateModel(
            name='Node',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(unique=True)),
                ('name', models.CharField(max_length=80)),
                ('public_key', models.CharField(max_length=44, unique=True)),
                ('status', models.CharField(choices=[('active', 'active'), ('suspended', 'suspended')], default='active', max_length=12)),
                ('suspended_by', models.CharField(blank=True, choices=[('', ''), ('supplier', 'supplier'), ('venue', 'venue')], default='', max_length=8)),
                ('strikes', models.PositiveIntegerField(default=0)),
                ('created_at', models.DateTimeField()),
                ('last_seen_at', models.DateTimeField(null=True)),
                ('supplier', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='nodes', to='rights.supplier')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ('active', 'suspended')), ('suspended_by__in', ('', 'supplier', 'venue'))), name='node_words'), models.CheckConstraint(condition=models.Q(models.Q(('status', 'active'), ('suspended_by', '')), models.Q(('status', 'suspended'), models.Q(('suspended_by', ''), _negated=True)), _connector='OR'), name='node_suspended_by')],
            },
        ),
        migrations.CreateModel(
            name='OutcomeTally',
            fields=[
                ('pk', models.CompositePrimaryKey('issuer', 'compute_class', 'series', 'outcome', blank=True, editable=False, primary_key=True, serialize=False)),
                ('outcome', models.CharField(choices=[('full', 'full'), ('fallback', 'fallback'), ('partial', 'partial'), ('failed', 'failed'), ('expired', 'expired'), ('cancelled', 'cancelled')], max_length=12)),
                ('requests', models.BigIntegerField()),
                ('used_units', models.DecimalField(decimal_places=0, max_digits=40)),
                ('reserved_units', models.DecimalField(decimal_places=0, max_digits=40)),
                ('compute_class', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.computeclass')),
                ('issuer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.issuer')),
                ('series', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.series')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('outcome__in', ('full', 'fallback', 'partial', 'failed', 'expired', 'cancelled'))), name='tally_outcome'), models.CheckConstraint(condition=models.Q(('requests__gt', 0), ('reserved_units__gte', models.F('used_units')), ('used_units__gte', 0)), name='tally_amounts')],
            },
        ),
        migrations.CreateModel(
            name='Request',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('received', 'received'), ('validated', 'validated'), ('matched', 'matched'), ('executing', 'executing'), ('deferred', 'deferred'), ('completed', 'completed'), ('fallback_completed', 'fallback_completed'), ('partially_completed', 'partially_completed'), ('failed', 'failed'), ('expired', 'expired'), ('cancelled', 'cancelled'), ('superseded', 'superseded'), ('settled', 'settled')], default='received', max_length=24)),
                ('workload', models.CharField(max_length=32)),
                ('operation', models.CharField(max_length=64)),
                ('expected_units', models.BigIntegerField()),
                ('budget', models.CharField(choices=[('actual', 'actual'), ('reserved-draw', 'reserved-draw'), ('quoted-cap', 'quoted-cap')], default='actual', max_length=16)),
                ('delivery', models.CharField(choices=[('sync', 'sync'), ('async', 'async'), ('webhook', 'webhook'), ('queue', 'queue'), ('artifact', 'artifact')], default='sync', max_length=16)),
                ('envelope', models.TextField()),
                ('envelope_hash', models.CharField(max_length=64)),
                ('effective', models.JSONField(default=dict)),
                ('latest_at', models.DateTimeField()),
                ('created_at', models.DateTimeField()),
                ('updated_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('account', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='requests', to='rights.account')),
                ('delegation', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='requests', to='rights.delegation')),
                ('holder', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.account')),
                ('stream', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.stream')),
            ],
            options={
                'indexes': [models.Index(fields=['account', '-id'], name='request_account'), models.Index(fields=['holder', '-id'], name='request_holder'), models.Index(condition=models.Q(('ended_at__isnull', True)), fields=['latest_at'], name='request_open'), models.Index(condition=models.Q(('delegation__isnull', False)), fields=['delegation'], name='request_delegation')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ('received', 'validated', 'matched', 'executing', 'deferred', 'completed', 'fallback_completed', 'partially_completed', 'failed', 'expired', 'cancelled', 'superseded', 'settled'))), name='request_state'), models.CheckConstraint(condition=models.Q(('budget__in', ('actual', 'reserved-draw', 'quoted-cap')), ('delivery__in', ('sync', 'async', 'webhook', 'queue', 'artifact'))), name='request_words'), models.CheckConstraint(condition=models.Q(('expected_units__gt', 0)), name='request_units')],
            },
        ),
        migrations.CreateModel(
            name='SettlementRule',
            fields=[
                ('pk', models.CompositePrimaryKey('start', 'event', 'end', blank=True, editable=False, primary_key=True, serialize=False)),
                ('start', models.CharField(max_length=24)),
                ('event', models.CharField(max_length=24)),
                ('end', models.CharField(max_length=24)),
            ],
        ),
        migrations.CreateModel(
            name='Balance',
            fields=[
                ('pk', models.CompositePrimaryKey('account_id', 'asset_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('amount', models.BigIntegerField(default=0)),
                ('held', models.BigIntegerField(default=0)),
                ('floor', models.BigIntegerField(default=0, null=True)),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='balances', to='rights.account')),
                ('asset', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, to='settlement.asset')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('floor', None), ('amount__gte', models.F('floor')), _connector='OR'), name='balance_floor'), models.CheckConstraint(condition=models.Q(('held__gte', 0), models.Q(('floor', None), ('held__lte', models.F('amount')), _connector='OR')), name='balance_held')],
            },
        ),
        migrations.CreateModel(
            name='EndpointHealth',
            fields=[
                ('endpoint', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='health', serialize=False, to='settlement.endpoint')),
                ('failures_in_a_row', models.IntegerField(default=0)),
                ('opened_until', models.DateTimeField(null=True)),
                ('latency_us', models.BigIntegerField(null=True)),
                ('updated_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='NodeNonce',
            fields=[
                ('pk', models.CompositePrimaryKey('node', 'nonce', blank=True, editable=False, primary_key=True, serialize=False)),
                ('nonce', models.CharField(max_length=64)),
                ('used_at', models.DateTimeField()),
                ('node', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='settlement.node')),
            ],
            options={
                'indexes': [models.Index(fields=['used_at'], name='node_nonce_age')],
            },
        ),
        migrations.CreateModel(
            name='Posting',
            fields=[
                ('pk', models.CompositePrimaryKey('entry_id', 'leg', blank=True, editable=False, primary_key=True, serialize=False)),
                ('entry_id', models.UUIDField()),
                ('leg', models.SmallIntegerField()),
                ('kind', models.CharField(max_length=16)),
                ('amount', models.BigIntegerField()),
                ('at', models.DateTimeField()),
                ('asset', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, to='settlement.asset')),
                ('credit', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.account')),
                ('debit', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.account')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('kind__in', ('units', 'cash', 'fee')), _negated=True), fields=['debit', 'entry_id', 'leg'], name='posting_debit'), models.Index(condition=models.Q(('kind__in', ('units', 'cash', 'fee')), _negated=True), fields=['credit', 'entry_id', 'leg'], name='posting_credit')],
                'constraints': [models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='posting_amount'), models.CheckConstraint(condition=models.Q(('debit', models.F('credit')), _negated=True), name='posting_two_accounts')],
            },
        ),
        migrations.CreateModel(
            name='Receipt',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('status', models.CharField(max_length=24)),
                ('body', models.TextField()),
                ('hash', models.CharField(max_length=64)),
                ('recorded_at', models.DateTimeField()),
                ('invalidated_at', models.DateTimeField(null=True)),
                ('request', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='receipts', to='settlement.request')),
            ],
            options={
                'indexes': [models.Index(fields=['request'], name='receipt_request')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('invalidated_at__isnull', True)), fields=('request',), name='receipt_live_once')],
            },
        ),
        migrations.CreateModel(
            name='RequestPayload',
            fields=[
                ('request', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='payload', serialize=False, to='settlement.request')),
                ('body', models.TextField()),
                ('body_hash', models.CharField(max_length=64)),
                ('output', models.TextField(null=True)),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'indexes': [models.Index(fields=['created_at'], name='request_payload_age')],
            },
        ),
        migrations.CreateModel(
            name='Route',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('number', models.PositiveSmallIntegerField()),
                ('units', models.BigIntegerField()),
                ('escrow_minor', models.BigIntegerField(default=0)),
                ('score', models.IntegerField()),
                ('reasons', models.JSONField(default=list)),
                ('fallbacks', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=32), default=list, size=None)),
                ('quality_loss_bps', models.IntegerField(default=0)),
                ('state', models.CharField(choices=[('quoted', 'quoted'), ('refused', 'refused'), ('locked', 'locked'), ('executing', 'executing'), ('completed', 'completed'), ('released', 'released'), ('expired', 'expired'), ('replaced', 'replaced')], max_length=12)),
                ('quoted_at', models.DateTimeField()),
                ('locked_at', models.DateTimeField(null=True)),
                ('expires_at', models.DateTimeField(null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('capability', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.capability')),
                ('currency', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='settlement.asset')),
                ('payee', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.account')),
                ('payer', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.account')),
                ('request', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='routes', to='settlement.request')),
                ('right', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='routes', to='rights.right')),
                ('supplier', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='routes', to='rights.supplier')),
                ('branch', models.CharField(blank=True, default='', max_length=40)),
                ('package', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.package')),
                ('tier', models.CharField(blank=True, default='', max_length=8)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('locked_at__isnull', False)), fields=['right', 'locked_at'], name='route_right_locked'), models.Index(condition=models.Q(('state__in', ('locked', 'executing'))), fields=['right'], name='route_right_live'), models.Index(condition=models.Q(('state__in', ('locked', 'executing'))), fields=['expires_at'], name='route_live_until'), models.Index(fields=['supplier', '-id'], name='route_supplier')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ('quoted', 'refused', 'locked', 'executing', 'completed', 'released', 'expired', 'replaced'))), name='route_state'), models.CheckConstraint(condition=models.Q(('escrow_minor__gte', 0), ('units__gt', 0)), name='route_amounts'), models.CheckConstraint(condition=models.Q(('escrow_minor', 0), models.Q(('payee__isnull', False), ('payer__isnull', False), models.Q(('payer', models.F('payee')), _negated=True)), _connector='OR'), name='route_parties'), models.UniqueConstraint(fields=('request', 'number'), name='route_number'), models.CheckConstraint(condition=models.Q(('tier__in', ('', 'baseline', 'overflow')), models.Q(('package__isnull', False), models.Q(('branch', ''), ('tier', '')), _connector='OR')), name='route_part')],
            },
        ),
        migrations.CreateModel(
            name='Job',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('workload', models.CharField(max_length=32)),
                ('operation', models.CharField(max_length=64)),
                ('model', models.CharField(blank=True, default='', max_length=120)),
                ('unit', models.CharField(max_length=16)),
                ('units', models.BigIntegerField()),
                ('state', models.CharField(choices=[('open', 'open'), ('leased', 'leased'), ('done', 'done'), ('parked', 'parked')], default='open', max_length=8)),
                ('reason', models.CharField(blank=True, default='', max_length=200)),
                ('leases', models.PositiveSmallIntegerField(default=0)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('max_attempts', models.PositiveSmallIntegerField()),
                ('lease_ms', models.IntegerField()),
                ('shunned', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=list, size=None)),
                ('told', models.JSONField(null=True)),
                ('proofs', models.JSONField(default=list)),
                ('offered_at', models.DateTimeField()),
                ('deadline_at', models.DateTimeField()),
                ('leased_at', models.DateTimeField(null=True)),
                ('lease_expires_at', models.DateTimeField(null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('gathered_at', models.DateTimeField(null=True)),
                ('capability', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.capability')),
                ('request', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='jobs', to='settlement.request')),
                ('route', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='job', to='settlement.route')),
                ('supplier', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.supplier')),
                ('node', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='jobs', to='settlement.node')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('state', 'open')), fields=['supplier', 'offered_at', 'id'], name='job_on_offer'), models.Index(condition=models.Q(('state', 'leased')), fields=['lease_expires_at'], name='job_leased_until'), models.Index(condition=models.Q(('state', 'leased')), fields=['node'], name='job_leased_by'), models.Index(condition=models.Q(('state', 'open')), fields=['deadline_at'], name='job_open_until'), models.Index(condition=models.Q(('ended_at__isnull', False), ('gathered_at__isnull', True)), fields=['ended_at'], name='job_to_gather'), models.Index(fields=['request'], name='job_request')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ('open', 'leased', 'done', 'parked'))), name='job_state'), models.CheckConstraint(condition=models.Q(('lease_ms__gt', 0), ('max_attempts__gt', 0), ('units__gt', 0)), name='job_bounds'), models.CheckConstraint(condition=models.Q(('attempts__lte', models.F('max_attempts'))), name='job_attempts'), models.CheckConstraint(condition=models.Q(models.Q(('lease_expires_at__isnull', False), ('leased_at__isnull', False), ('node__isnull', False), ('state', 'leased')), models.Q(models.Q(('state', 'leased'), _negated=True), ('lease_expires_at__isnull', True)), _connector='OR'), name='job_lease'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', False), ('state__in', ('done', 'parked')), ('told__isnull', False)), models.Q(('ended_at__isnull', True), ('gathered_at__isnull', True), ('state__in', ('open', 'leased')), ('told__isnull', True)), _connector='OR'), name='job_told')],
            },
        ),
        migrations.CreateModel(
            name='Proof',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField()),
                ('type', models.CharField(max_length=32)),
                ('reference', models.CharField(max_length=200)),
                ('content_hash', models.CharField(max_length=64)),
                ('producer', models.CharField(max_length=80)),
                ('units', models.BigIntegerField(null=True)),
                ('signature', models.CharField(blank=True, default='', max_length=128)),
                ('is_valid', models.BooleanField(default=True)),
                ('recorded_at', models.DateTimeField()),
                ('receipt', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='proofs', to='settlement.receipt')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('receipt', 'number'), name='proof_number'), models.CheckConstraint(condition=models.Q(('units__isnull', True), ('units__gte', 0), _connector='OR'), name='proof_units')],
            },
        ),
        migrations.CreateModel(
            name='Settlement',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('unsettled', 'unsettled'), ('pending_proof', 'pending_proof'), ('classified_full', 'classified_full'), ('classified_fallback', 'classified_fallback'), ('classified_partial', 'classified_partial'), ('classified_failed', 'classified_failed'), ('classified_expired', 'classified_expired'), ('classified_cancelled', 'classified_cancelled'), ('pending_dispute_window', 'pending_dispute_window'), ('in_dispute', 'in_dispute'), ('reversed', 'reversed'), ('finalized', 'finalized')], default='unsettled', max_length=24)),
                ('last_event', models.CharField(choices=[('proofs_incomplete', 'proofs_incomplete'), ('proofs_sufficient', 'proofs_sufficient'), ('proof_deadline_passed', 'proof_deadline_passed'), ('no_dispute_window', 'no_dispute_window'), ('dispute_window_opened', 'dispute_window_opened'), ('challenged', 'challenged'), ('dispute_window_passed', 'dispute_window_passed'), ('dispute_rejected', 'dispute_rejected'), ('dispute_upheld', 'dispute_upheld'), ('reclassified', 'reclassified'), ('correction_applied', 'correction_applied')], default='', max_length=24)),
                ('outcome', models.CharField(blank=True, choices=[('full', 'full'), ('fallback', 'fallback'), ('partial', 'partial'), ('failed', 'failed'), ('expired', 'expired'), ('cancelled', 'cancelled')], default='', max_length=12)),
                ('rule', models.CharField(blank=True, default='', max_length=32)),
                ('digest', models.CharField(blank=True, default='', max_length=64)),
                ('reserved_units', models.BigIntegerField()),
                ('units', models.BigIntegerField(default=0)),
                ('escrow_minor', models.BigIntegerField(default=0)),
                ('payout_minor', models.BigIntegerField(default=0)),
                ('compensation_minor', models.BigIntegerField(default=0)),
                ('release_minor', models.BigIntegerField(default=0)),
                ('missing', models.JSONField(default=list)),
                ('proof_due_at', models.DateTimeField(null=True)),
                ('window_ends_at', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField()),
                ('updated_at', models.DateTimeField()),
                ('finalized_at', models.DateTimeField(null=True)),
                ('receipt', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='settlement.receipt')),
                ('request', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='settlement', to='settlement.request')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('state', 'pending_proof')), fields=['proof_due_at'], name='settlement_proof_due'), models.Index(condition=models.Q(('state', 'pending_dispute_window')), fields=['window_ends_at'], name='settlement_window'), models.Index(fields=['state', '-id'], name='settlement_by_state')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ('unsettled', 'pending_proof', 'classified_full', 'classified_fallback', 'classified_partial', 'classified_failed', 'classified_expired', 'classified_cancelled', 'pending_dispute_window', 'in_dispute', 'reversed', 'finalized'))), name='settlement_state'), models.CheckConstraint(condition=models.Q(('outcome', ''), ('outcome__in', ('full', 'fallback', 'partial', 'failed', 'expired', 'cancelled')), _connector='OR'), name='settlement_outcome'), models.CheckConstraint(condition=models.Q(('reserved_units__gte', models.F('units')), ('units__gte', 0)), name='settlement_units'), models.CheckConstraint(condition=models.Q(('compensation_minor__gte', 0), ('escrow_minor__gte', 0), ('payout_minor__gte', 0), ('release_minor__gte', 0), models.Q(('outcome', ''), ('escrow_minor', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('payout_minor'), '+', models.F('compensation_minor')), '+', models.F('release_minor'))), _connector='OR')), name='settlement_money'), models.CheckConstraint(condition=models.Q(models.Q(('finalized_at__isnull', False), ('state', 'finalized')), models.Q(models.Q(('state', 'finalized'), _negated=True), ('finalized_at__isnull', True)), _connector='OR'), name='settlement_finalized')],
            },
        ),
        migrations.CreateModel(
            name='Dispute',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('side', models.CharField(choices=[('holder', 'holder'), ('supplier', 'supplier'), ('coordinator', 'coordinator')], max_length=12)),
                ('opened_by', models.CharField(max_length=80)),
                ('claim', models.CharField(max_length=2000)),
                ('state', models.CharField(choices=[('open', 'open'), ('rejected', 'rejected'), ('upheld', 'upheld'), ('reclassified', 'reclassified')], default='open', max_length=12)),
                ('reviewer', models.CharField(blank=True, default='', max_length=80)),
                ('decided_by', models.CharField(blank=True, default='', max_length=80)),
                ('decision', models.CharField(blank=True, default='', max_length=2000)),
                ('opened_at', models.DateTimeField()),
                ('decided_at', models.DateTimeField(null=True)),
                ('opener', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.account')),
                ('settlement', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='disputes', to='settlement.settlement')),
            ],
            options={
                'indexes': [models.Index(fields=['state', '-id'], name='dispute_by_state'), models.Index(fields=['settlement'], name='dispute_of'), models.Index(condition=models.Q(('reviewer', ''), _negated=True), fields=['reviewer'], name='dispute_reviewer')],
                'constraints': [models.CheckConstraint(condition=models.Q(('side__in', ('holder', 'supplier', 'coordinator')), ('state__in', ('open', 'rejected', 'upheld', 'reclassified'))), name='dispute_words'), models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('settlement',), name='dispute_open_once')],
            },
        ),
        migrations.CreateModel(
            name='JobAttempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField()),
                ('leased_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('end', models.CharField(blank=True, choices=[('done', 'done'), ('failed', 'failed'), ('expired', 'expired'), ('struck', 'struck'), ('returned', 'returned')], default='', max_length=8)),
                ('claimed_units', models.BigIntegerField(null=True)),
                ('output_hash', models.CharField(blank=True, default='', max_length=64)),
                ('signature', models.CharField(blank=True, default='', max_length=88)),
                ('detail', models.CharField(blank=True, default='', max_length=200)),
                ('job', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='tries', to='settlement.job')),
                ('node', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='attempts', to='settlement.node')),
            ],
            options={
                'indexes': [models.Index(fields=['node', '-id'], name='attempt_node')],
                'constraints': [models.UniqueConstraint(fields=('job', 'number'), name='attempt_number'), models.UniqueConstraint(condition=models.Q(('end', 'done')), fields=('job',), name='attempt_done_once'), models.CheckConstraint(condition=models.Q(models.Q(('end', ''), ('ended_at__isnull', True)), models.Q(models.Q(('end', ''), _negated=True), ('ended_at__isnull', False)), _connector='OR'), name='attempt_ended')],
            },
        ),
        migrations.CreateModel(
            name='Evidence',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField()),
                ('by', models.CharField(max_length=80)),
                ('text', models.CharField(max_length=4000)),
                ('content_hash', models.CharField(blank=True, default='', max_length=64)),
                ('at', models.DateTimeField()),
                ('dispute', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='evidence', to='settlement.dispute')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('dispute', 'number'), name='evidence_number')],
            },
        ),
        migrations.RunSQL(GUARDS, migrations.RunSQL.noop),
    ]
