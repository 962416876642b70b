"""The books' tables, what the database itself refuses in them, and how a lane finds what it has not read."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models

GUARDS = """
ALTER TABLE exchange_command ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
ALTER TABLE exchange_accountmessage ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE exchange_batch ALTER COLUMN inputs SET STORAGE EXTERNAL;
ALTER TABLE exchange_batch ALTER COLUMN public SET STORAGE EXTERNAL;
CREATE INDEX account_message_at ON exchange_accountmessage USING brin (at);
CREATE INDEX command_change_order ON exchange_command USING btree (order_id) WHERE (kind = ANY (ARRAY[1, 2]));
CREATE INDEX command_unread ON exchange_command USING btree (book_id, xid, n);
CREATE FUNCTION check_proposal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'open' OR (NEW.id, NEW.kind, NEW.payload, NEW.reason, NEW.proposed_by, NEW.proposed_at, NEW.expires_at)
        IS DISTINCT FROM (OLD.id, OLD.kind, OLD.payload, OLD.reason, OLD.proposed_by, OLD.proposed_at, OLD.expires_at) THEN
        RAISE EXCEPTION 'proposal % is decided once and never changed', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION first_trade_since(book bigint, since timestamp with time zone, last_no bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    low bigint := 1;
    high bigint := last_no + 1;
    middle bigint;
    moment timestamptz;
BEGIN
    WHILE low < high LOOP
        middle := (low + high) / 2;
        SELECT t.at INTO moment FROM exchange_trade t WHERE t.book_id = book AND t.trade_no = middle;
        IF moment < since THEN
            low := middle + 1;
        ELSE
            high := middle;
        END IF;
    END LOOP;
    RETURN low;
END $$;
CREATE TRIGGER approval_kept BEFORE DELETE OR TRUNCATE ON exchange_orderapproval
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER batch_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON exchange_batch
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER command_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON exchange_command
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER key_draw_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON exchange_keydraw
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER policy_action_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON exchange_policyaction
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER policy_kept BEFORE DELETE OR TRUNCATE ON exchange_policy
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER policy_run_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON exchange_policyrun
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER proceeds_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON exchange_proceeds
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER proposal_decided_once BEFORE UPDATE ON exchange_proposal
    FOR EACH ROW EXECUTE FUNCTION check_proposal();
CREATE TRIGGER proposal_kept BEFORE DELETE OR TRUNCATE ON exchange_proposal
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER sheet_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON exchange_disclosuresheet
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER trade_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON exchange_trade
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE exchange_accountfeed SET (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);
ALTER TABLE exchange_book SET (fillfactor = 20, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 500);
ALTER TABLE exchange_order SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
"""


class Migration(migrations.Migration):

    replaces = [
        ('exchange', '0001_initial'),
        ('exchange', '0002_guards'),
        ('exchange', '0003_accountfeed_suspended'),
        ('exchange', '0004_command_order'),
        ('exchange', '0005_reads'),
        ('exchange', '0006_hot_rows_without_foreign_keys'),
        ('exchange', '0007_fewer_command_indexes'),
        ('exchange', '0008_message_age'),
        ('exchange', '0009_listings_and_blocks'),
        ('exchange', '0010_fungible_post_only_books'),
        ('exchange', '0011_proposal'),
        ('exchange', '0012_fungible_sheet_guard'),
        ('exchange', '0013_words_of_instruments'),
        ('exchange', '0014_what_an_order_named'),
        ('exchange', '0015_standing_policies'),
        ('exchange', '0016_bounded_keys'),
        ('exchange', '0017_instruments_leave_the_list'),
        ('exchange', '0018_requests_and_settlements_told'),
        ('exchange', '0019_proceeds_wait'),
    ]

    initial = True

    dependencies = [migrations.swappable_dependency(settings.AUTH_USER_MODEL), ("rights", "0001_squashed_0019_room_for_releases"), ("settlement", "0001_squashed_0017_room_for_steps")]

    operations = [
        migrations.CreateModel(
            name='AccountFeed',
            fields=[
                ('account', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, serialize=False, to='rights.account')),
                ('seq', models.BigIntegerField(default=0)),
                ('orders_seq', models.BigIntegerField(default=0)),
                ('fills_seq', models.BigIntegerField(default=0)),
                ('balances_seq', models.BigIntegerField(default=0)),
                ('suspended', models.BooleanField(default=False)),
                ('requests_seq', models.BigIntegerField(db_default=0)),
                ('settlements_seq', models.BigIntegerField(db_default=0)),
            ],
        ),
        migrations.CreateModel(
            name='AccountMessage',
            fields=[
                ('pk', models.CompositePrimaryKey('account_id', 'seq', blank=True, editable=False, primary_key=True, serialize=False)),
                ('seq', models.BigIntegerField()),
                ('book_id', models.BigIntegerField(null=True)),
                ('batch_seq', models.BigIntegerField(null=True)),
                ('at', models.DateTimeField()),
                ('orders_seq', models.BigIntegerField()),
                ('fills_seq', models.BigIntegerField()),
                ('balances_seq', models.BigIntegerField()),
                ('body', models.BinaryField()),
                ('account', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, to='rights.account')),
                ('requests_seq', models.BigIntegerField(db_default=0)),
                ('settlements_seq', models.BigIntegerField(db_default=0)),
            ],
            options={
                'indexes': [models.Index(fields=['book_id', 'batch_seq'], name='account_message_batch')],
            },
        ),
        migrations.CreateModel(
            name='ApiKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(unique=True)),
                ('kind', models.CharField(choices=[('bearer', 'bearer'), ('ed25519', 'ed25519')], default='bearer', max_length=8)),
                ('secret_sha256', models.CharField(max_length=64)),
                ('label', models.CharField(blank=True, default='', max_length=80)),
                ('scopes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('read', 'read'), ('trade', 'trade'), ('cancel', 'cancel'), ('quote', 'quote'), ('transfer', 'transfer'), ('redeem', 'redeem'), ('consent', 'consent'), ('issue', 'issue'), ('supply', 'supply'), ('clearing', 'clearing'), ('operate', 'operate'), ('audit', 'audit')], max_length=16), size=None)),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField()),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='keys', to='rights.account')),
                ('approval_above_minor', models.BigIntegerField(blank=True, null=True)),
                ('bounded', models.BooleanField(default=False)),
                ('classes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), blank=True, default=list, size=None)),
                ('max_daily_minor', models.BigIntegerField(blank=True, null=True)),
                ('max_order_minor', models.BigIntegerField(blank=True, null=True)),
                ('networks', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=43), blank=True, default=list, size=None)),
            ],
        ),
        migrations.CreateModel(
            name='BlockOffer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(unique=True)),
                ('price_minor', models.BigIntegerField()),
                ('fee_bps', models.IntegerField(default=0)),
                ('disclosure', models.TextField()),
                ('package_revision', models.PositiveIntegerField()),
                ('state', models.CharField(choices=[('open', 'open'), ('accepted', 'accepted'), ('withdrawn', 'withdrawn'), ('expired', 'expired')], default='open', max_length=16)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('accepted_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.account')),
                ('buyer', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.account')),
                ('currency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='settlement.asset')),
                ('package', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='offers', to='rights.package')),
                ('seller', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='block_offers', to='rights.account')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('fee_bps__gte', 0), ('fee_bps__lte', 1000), ('price_minor__gt', 0)), name='block_offer_price'), models.CheckConstraint(condition=models.Q(('state__in', ('open', 'accepted', 'withdrawn', 'expired'))), name='block_offer_state'), models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('package',), name='block_offer_open_once')],
            },
        ),
        migrations.CreateModel(
            name='IdempotencyKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=128)),
                ('fingerprint', models.CharField(max_length=64)),
                ('status', models.PositiveSmallIntegerField()),
                ('body', models.TextField()),
                ('created_at', models.DateTimeField()),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='rights.account')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('account', 'key'), name='idempotency_once')],
            },
        ),
        migrations.CreateModel(
            name='Instrument',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('symbol', models.CharField(max_length=64, unique=True)),
                ('tick_minor', models.BigIntegerField()),
                ('price_decimals', models.PositiveSmallIntegerField()),
                ('lot_size', models.BigIntegerField()),
                ('min_quantity_lots', models.BigIntegerField(default=1)),
                ('max_quantity_lots', models.BigIntegerField(default=1000000)),
                ('collar_low_ticks', models.BigIntegerField()),
                ('collar_high_ticks', models.BigIntegerField()),
                ('maker_bps', models.IntegerField(default=0)),
                ('taker_bps', models.IntegerField(default=0)),
                ('position_limit_lots', models.BigIntegerField(blank=True, null=True)),
                ('opens_at', models.DateTimeField()),
                ('gate_closes_at', models.DateTimeField()),
                ('reference_price_ticks', models.BigIntegerField(blank=True, null=True)),
                ('listed_at', models.DateTimeField()),
                ('currency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='settlement.asset')),
                ('series', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='instrument', to='rights.series')),
                ('delivery_rule', models.CharField(choices=[('exact', 'exact'), ('dominance', 'dominance')], default='exact', max_length=16)),
                ('delisted_at', models.DateTimeField(blank=True, null=True)),
                ('proceeds_escrow', models.CharField(choices=[('none', 'none'), ('until_final', 'until_final'), ('until_delivered', 'until_delivered')], db_default='none', default='none', max_length=16)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('delisted_at__isnull', True)), fields=['id'], name='instrument_listed')],
                'constraints': [models.CheckConstraint(condition=models.Q(('lot_size__gt', 0), ('tick_minor__gt', 0)), name='instrument_tick_lot'), models.CheckConstraint(condition=models.Q(('collar_high_ticks__gte', models.F('collar_low_ticks')), ('collar_low_ticks__gt', 0)), name='instrument_collar'), models.CheckConstraint(condition=models.Q(('max_quantity_lots__gte', models.F('min_quantity_lots')), ('min_quantity_lots__gt', 0)), name='instrument_quantity'), models.CheckConstraint(condition=models.Q(('maker_bps__gte', 0), ('maker_bps__lte', 1000), ('taker_bps__gte', 0), ('taker_bps__lte', 1000)), name='instrument_fees'), models.CheckConstraint(condition=models.Q(('gate_closes_at__gt', models.F('opens_at'))), name='instrument_gate'), models.CheckConstraint(condition=models.Q(('delivery_rule__in', ('exact', 'dominance'))), name='instrument_delivery_rule'), models.CheckConstraint(condition=models.Q(('proceeds_escrow__in', ('none', 'until_final', 'until_delivered'))), name='instrument_proceeds_escrow')],
            },
        ),
        migrations.CreateModel(
            name='Membership',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('scopes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('read', 'read'), ('trade', 'trade'), ('cancel', 'cancel'), ('quote', 'quote'), ('transfer', 'transfer'), ('redeem', 'redeem'), ('consent', 'consent'), ('issue', 'issue'), ('supply', 'supply'), ('clearing', 'clearing'), ('operate', 'operate'), ('audit', 'audit')], max_length=16), size=None)),
                ('participant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='members', to='rights.participant')),
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='membership', to=settings.AUTH_USER_MODEL)),
                ('password_once', models.BooleanField(default=False)),
            ],
        ),
        migrations.CreateModel(
            name='Proposal',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=32)),
                ('payload', models.JSONField()),
                ('reason', models.CharField(max_length=500)),
                ('proposed_by', models.CharField(max_length=80)),
                ('proposed_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('status', models.CharField(choices=[('open', 'open'), ('approved', 'approved'), ('rejected', 'rejected'), ('expired', 'expired')], default='open', max_length=8)),
                ('decided_by', models.CharField(blank=True, default='', max_length=80)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('decision', models.CharField(blank=True, default='', max_length=500)),
                ('outcome', models.CharField(blank=True, default='', max_length=200)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('status', 'open')), fields=['expires_at'], name='proposal_open')],
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ('open', 'approved', 'rejected', 'expired'))), name='proposal_status'), models.CheckConstraint(condition=models.Q(models.Q(('decided_at', None), ('decided_by', ''), ('status', 'open')), models.Q(models.Q(('status', 'open'), _negated=True), ('decided_at__isnull', False), models.Q(('decided_by', ''), _negated=True)), _connector='OR'), name='proposal_decided'), models.CheckConstraint(condition=models.Q(('decided_by', models.F('proposed_by')), ('status', 'approved'), _negated=True), name='proposal_two_persons')],
            },
        ),
        migrations.CreateModel(
            name='Book',
            fields=[
                ('instrument', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='book', serialize=False, to='exchange.instrument')),
                ('lane', models.PositiveSmallIntegerField()),
                ('phase', models.PositiveSmallIntegerField(default=0)),
                ('seq', models.BigIntegerField(default=0)),
                ('last_command_seq', models.BigIntegerField(default=0)),
                ('scan_xid', models.BigIntegerField(default=0)),
                ('trade_count', models.BigIntegerField(default=0)),
                ('last_price_ticks', models.BigIntegerField(null=True)),
                ('last_hash', models.CharField(default='0000000000000000000000000000000000000000000000000000000000000000', max_length=64)),
                ('next_expiry', models.DateTimeField(null=True)),
                ('updated_at', models.DateTimeField()),
                ('fee_account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.account')),
                ('post_only', models.BooleanField(default=False)),
                ('proceeds_account', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.account')),
            ],
        ),
        migrations.CreateModel(
            name='Deliverable',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('since', models.DateTimeField()),
                ('instrument', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='deliverable', to='exchange.instrument')),
                ('series', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.series')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('instrument', 'series'), name='deliverable_once')],
            },
        ),
        migrations.CreateModel(
            name='DisclosureSheet',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.PositiveIntegerField()),
                ('body', models.TextField()),
                ('hash', models.CharField(max_length=64)),
                ('computed_at', models.DateTimeField()),
                ('instrument', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='sheets', to='exchange.instrument')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('instrument', 'version'), name='sheet_version')],
            },
        ),
        migrations.CreateModel(
            name='ListingRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(unique=True)),
                ('rules', models.JSONField()),
                ('delivery_rule', models.CharField(default='exact', max_length=16)),
                ('state', models.CharField(choices=[('submitted', 'submitted'), ('reviewed', 'reviewed'), ('approved', 'approved'), ('rejected', 'rejected'), ('withdrawn', 'withdrawn')], default='submitted', max_length=16)),
                ('sheet', models.TextField()),
                ('note', models.CharField(blank=True, default='', max_length=500)),
                ('requested_by', models.CharField(max_length=80)),
                ('reviewed_by', models.CharField(blank=True, default='', max_length=80)),
                ('decided_by', models.CharField(blank=True, default='', max_length=80)),
                ('decision_note', models.CharField(blank=True, default='', max_length=500)),
                ('requested_at', models.DateTimeField()),
                ('reviewed_at', models.DateTimeField(null=True)),
                ('decided_at', models.DateTimeField(null=True)),
                ('instrument', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='exchange.instrument')),
                ('issuer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='listings', to='rights.issuer')),
                ('series', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.series')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ('submitted', 'reviewed', 'approved', 'rejected', 'withdrawn'))), name='listing_state'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'approved'), _negated=True), models.Q(('reviewed_by', models.F('decided_by')), _negated=True), _connector='OR'), name='listing_two_persons'), models.UniqueConstraint(condition=models.Q(('state__in', ('submitted', 'reviewed'))), fields=('series',), name='listing_open_once')],
            },
        ),
        migrations.CreateModel(
            name='Policy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(unique=True)),
                ('kind', models.CharField(choices=[('rebalancer', 'rebalancer'), ('agent', 'agent')], max_length=16)),
                ('label', models.CharField(blank=True, default='', max_length=80)),
                ('rules', models.JSONField()),
                ('state', models.CharField(choices=[('active', 'active'), ('paused', 'paused'), ('stopped', 'stopped'), ('ended', 'ended')], default='active', max_length=8)),
                ('reason', models.CharField(blank=True, default='', max_length=200)),
                ('revision', models.PositiveIntegerField(default=1)),
                ('every_s', models.PositiveIntegerField()),
                ('runs', models.BigIntegerField(default=0)),
                ('created_by', models.CharField(max_length=80)),
                ('created_at', models.DateTimeField()),
                ('updated_at', models.DateTimeField()),
                ('next_at', models.DateTimeField()),
                ('looked_at', models.DateTimeField(null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='policies', to='rights.account')),
                ('key', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='policies', to='exchange.apikey')),
            ],
            options={
                'verbose_name_plural': 'policies',
                'indexes': [models.Index(fields=['account', 'id'], name='policy_account'), models.Index(condition=models.Q(('state', 'active'), models.Q(('kind', 'agent'), _negated=True)), fields=['next_at'], name='policy_due')],
                'constraints': [models.CheckConstraint(condition=models.Q(('kind__in', ('rebalancer', 'agent'))), name='policy_kind'), models.CheckConstraint(condition=models.Q(('state__in', ('active', 'paused', 'stopped', 'ended'))), name='policy_state'), models.CheckConstraint(condition=models.Q(('every_s__gte', 5), ('every_s__lte', 86400)), name='policy_every'), models.UniqueConstraint(condition=models.Q(('kind', 'agent'), models.Q(('state', 'ended'), _negated=True)), fields=('key',), name='policy_agent_once')],
            },
        ),
        migrations.CreateModel(
            name='Batch',
            fields=[
                ('pk', models.CompositePrimaryKey('book_id', 'seq', blank=True, editable=False, primary_key=True, serialize=False)),
                ('seq', models.BigIntegerField()),
                ('at', models.DateTimeField()),
                ('first_command_seq', models.BigIntegerField()),
                ('command_ns', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                ('max_xid', models.BigIntegerField()),
                ('inputs', models.BinaryField()),
                ('public', models.BinaryField()),
                ('checksum', models.BigIntegerField()),
                ('hash', models.CharField(max_length=64)),
                ('book', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, to='exchange.book')),
            ],
            options={
                'verbose_name_plural': 'batches',
                'indexes': [models.Index(fields=['book', 'max_xid'], name='batch_max_xid')],
            },
        ),
        migrations.CreateModel(
            name='Command',
            fields=[
                ('n', models.BigAutoField(primary_key=True, serialize=False)),
                ('kind', models.PositiveSmallIntegerField(choices=[(0, 'Place'), (1, 'Amend'), (2, 'Cancel'), (3, 'Cancel Many'), (4, 'Set Phase'), (5, 'Set Post Only')])),
                ('order_id', models.UUIDField(null=True)),
                ('client_order_id', models.CharField(max_length=64, null=True)),
                ('payload', models.TextField()),
                ('actor', models.CharField(max_length=80)),
                ('accepted_at', models.DateTimeField()),
                ('account', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, to='rights.account')),
                ('book', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, to='exchange.book')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('account', 'client_order_id'), name='command_client_order_id')],
            },
        ),
        migrations.CreateModel(
            name='Order',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('client_order_id', models.CharField(max_length=64, null=True)),
                ('group', models.CharField(default='', max_length=64)),
                ('side', models.PositiveSmallIntegerField()),
                ('type', models.PositiveSmallIntegerField()),
                ('tif', models.PositiveSmallIntegerField()),
                ('post_only', models.PositiveSmallIntegerField()),
                ('stp', models.PositiveSmallIntegerField()),
                ('price_ticks', models.BigIntegerField(null=True)),
                ('quantity_lots', models.BigIntegerField()),
                ('filled_lots', models.BigIntegerField()),
                ('remaining_lots', models.BigIntegerField()),
                ('cancelled_lots', models.BigIntegerField()),
                ('status', models.PositiveSmallIntegerField(choices=[(0, 'Pending'), (1, 'Open'), (2, 'Partially Filled'), (3, 'Filled'), (4, 'Cancelled'), (5, 'Expired'), (6, 'Rejected')])),
                ('reason', models.PositiveSmallIntegerField()),
                ('is_open', models.BooleanField()),
                ('notional_minor', models.BigIntegerField()),
                ('fee_minor', models.BigIntegerField()),
                ('held_minor', models.BigIntegerField()),
                ('slice_rights', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)),
                ('slice_units', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                ('expire_at', models.DateTimeField(null=True)),
                ('valid_until', models.DateTimeField(null=True)),
                ('valid_reason', models.PositiveSmallIntegerField(default=0)),
                ('policy', models.BigIntegerField(default=0)),
                ('holder_profile', models.BigIntegerField(default=0)),
                ('joined', models.BigIntegerField()),
                ('book_seq', models.BigIntegerField()),
                ('created_at', models.DateTimeField()),
                ('updated_at', models.DateTimeField()),
                ('account', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, to='rights.account')),
                ('participant', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, to='rights.participant')),
                ('book', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, to='exchange.book')),
                ('named_rights', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), null=True, size=None)),
                ('deadline', models.DateTimeField(null=True)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('is_open', True)), fields=['book', 'joined'], name='order_open_book'), models.Index(fields=['account', 'id'], name='order_account'), models.Index(condition=models.Q(('is_open', True)), fields=['account', 'book'], name='order_open_account')],
                'constraints': [models.CheckConstraint(condition=models.Q(('quantity_lots', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('filled_lots'), '+', models.F('remaining_lots')), '+', models.F('cancelled_lots')))), name='order_adds_up'), models.CheckConstraint(condition=models.Q(('cancelled_lots__gte', 0), ('filled_lots__gte', 0), ('held_minor__gte', 0), ('remaining_lots__gte', 0)), name='order_signs'), models.CheckConstraint(condition=models.Q(models.Q(('is_open', True), ('remaining_lots__gt', 0)), models.Q(('held_minor', 0), ('is_open', False), ('remaining_lots', 0)), _connector='OR'), name='order_open')],
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
        migrations.CreateModel(
            name='PolicyRun',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('number', models.BigIntegerField()),
                ('revision', models.PositiveIntegerField()),
                ('trigger', models.CharField(choices=[('schedule', 'schedule'), ('fill', 'fill'), ('window', 'window'), ('manual', 'manual')], max_length=8)),
                ('at', models.DateTimeField()),
                ('passed', models.JSONField()),
                ('policy', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='history', to='exchange.policy')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('policy', 'number'), name='policy_run_number'), models.CheckConstraint(condition=models.Q(('trigger__in', ('schedule', 'fill', 'window', 'manual'))), name='policy_run_trigger')],
            },
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
            name='PolicyAction',
            fields=[
                ('pk', models.CompositePrimaryKey('run_id', 'place', blank=True, editable=False, primary_key=True, serialize=False)),
                ('place', models.PositiveSmallIntegerField()),
                ('rule', models.CharField(choices=[('coverage', 'coverage'), ('sell_unused', 'sell_unused'), ('roll', 'roll'), ('swap', 'swap')], max_length=16)),
                ('verb', models.CharField(max_length=8)),
                ('side', models.PositiveSmallIntegerField()),
                ('quantity_lots', models.BigIntegerField()),
                ('price_ticks', models.BigIntegerField()),
                ('tif', models.PositiveSmallIntegerField()),
                ('units', models.BigIntegerField()),
                ('why', models.CharField(max_length=300)),
                ('outcome', models.CharField(choices=[('placed', 'placed'), ('cancel_sent', 'cancel_sent'), ('refused', 'refused')], max_length=12)),
                ('code', models.CharField(blank=True, default='', max_length=40)),
                ('detail', models.CharField(blank=True, default='', max_length=300)),
                ('order_id', models.UUIDField()),
                ('at', models.DateTimeField()),
                ('book', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='exchange.book')),
                ('pair_book', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='exchange.book')),
                ('policy', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='exchange.policy')),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='actions', to='exchange.policyrun')),
            ],
            options={
                'indexes': [models.Index(fields=['policy', 'at'], name='policy_action_when'), models.Index(fields=['order_id'], name='policy_action_order')],
                'constraints': [models.CheckConstraint(condition=models.Q(('price_ticks__gt', 0), ('quantity_lots__gt', 0), ('units__gt', 0)), name='policy_action_amounts'), models.CheckConstraint(condition=models.Q(('outcome__in', ('placed', 'cancel_sent', 'refused')), ('rule__in', ('coverage', 'sell_unused', 'roll', 'swap'))), name='policy_action_words'), models.CheckConstraint(condition=models.Q(('pair_book', None), models.Q(('pair_book', models.F('book')), _negated=True), _connector='OR'), name='policy_action_pair')],
            },
        ),
        migrations.CreateModel(
            name='Trade',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('trade_no', models.BigIntegerField()),
                ('batch_seq', models.BigIntegerField()),
                ('at', models.DateTimeField()),
                ('price_ticks', models.BigIntegerField()),
                ('quantity_lots', models.BigIntegerField()),
                ('units', models.BigIntegerField()),
                ('notional_minor', models.BigIntegerField()),
                ('aggressor', models.PositiveSmallIntegerField()),
                ('buy_fee_minor', models.BigIntegerField()),
                ('sell_fee_minor', models.BigIntegerField()),
                ('slice_children', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)),
                ('slice_parents', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)),
                ('slice_roots', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)),
                ('slice_units', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                ('event_seq', models.BigIntegerField()),
                ('buy_order', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='exchange.order')),
                ('buyer', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.account')),
                ('sell_order', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='exchange.order')),
                ('seller', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.account')),
                ('book', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, to='exchange.book')),
            ],
            options={
                'indexes': [models.Index(fields=['buyer', 'id'], name='trade_buyer'), models.Index(fields=['seller', 'id'], name='trade_seller')],
                'constraints': [models.UniqueConstraint(fields=('book', 'trade_no'), name='trade_number'), models.CheckConstraint(condition=models.Q(('price_ticks__gt', 0), ('quantity_lots__gt', 0)), name='trade_amounts'), models.CheckConstraint(condition=models.Q(('buyer', models.F('seller')), _negated=True), name='trade_two_parties')],
            },
        ),
        migrations.CreateModel(
            name='Proceeds',
            fields=[
                ('trade', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, primary_key=True, serialize=False, to='exchange.trade')),
                ('entry_id', models.UUIDField()),
                ('seller_minor', models.BigIntegerField()),
                ('buyer_minor', models.BigIntegerField()),
                ('released_at', models.DateTimeField()),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('buyer_minor__gte', 0), ('seller_minor__gte', 0)), name='proceeds_amounts')],
            },
        ),
        migrations.RunSQL(GUARDS, migrations.RunSQL.noop),
    ]
