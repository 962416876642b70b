"""Standing policies, and the runs and actions that nothing changes afterwards."""

import django.db.models.deletion
from django.db import migrations, models


FORWARD = """
CREATE TRIGGER policy_kept BEFORE DELETE OR TRUNCATE ON exchange_policy FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER policy_run_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON exchange_policyrun
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER policy_action_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON exchange_policyaction
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
BACKWARD = """
DROP TRIGGER policy_action_append_only ON exchange_policyaction;
DROP TRIGGER policy_run_append_only ON exchange_policyrun;
DROP TRIGGER policy_kept ON exchange_policy;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("exchange", "0014_what_an_order_named"),
        ("rights", "0012_terms_ended_absorb_nothing"),
    ]

    operations = [
        migrations.CreateModel(
            name="Policy",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(unique=True)),
                ("kind", models.CharField(choices=[("rebalancer", "rebalancer"), ("agent", "agent")], max_length=16)),
                ("label", models.CharField(blank=True, default="", max_length=80)),
                ("rules", models.JSONField()),
                (
                    "state",
                    models.CharField(
                        choices=[("active", "active"), ("paused", "paused"), ("stopped", "stopped"), ("ended", "ended")],
                        default="active",
                        max_length=8,
                    ),
                ),
                ("reason", models.CharField(blank=True, default="", max_length=200)),
                ("revision", models.PositiveIntegerField(default=1)),
                ("every_s", models.PositiveIntegerField()),
                ("runs", models.BigIntegerField(default=0)),
                ("created_by", models.CharField(max_length=80)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                ("next_at", models.DateTimeField()),
                ("looked_at", models.DateTimeField(null=True)),
                ("account", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="policies", to="rights.account")),
                ("key", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="policies", to="exchange.apikey")),
            ],
            options={
                "verbose_name_plural": "policies",
            },
        ),
        migrations.CreateModel(
            name="PolicyRun",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("number", models.BigIntegerField()),
                ("revision", models.PositiveIntegerField()),
                (
                    "trigger",
                    models.CharField(
                        choices=[("schedule", "schedule"), ("fill", "fill"), ("window", "window"), ("manual", "manual")], max_length=8
                    ),
                ),
                ("at", models.DateTimeField()),
                ("passed", models.JSONField()),
                (
                    "policy",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="history", to="exchange.policy"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PolicyAction",
            fields=[
                ("pk", models.CompositePrimaryKey("run_id", "place", blank=True, editable=False, primary_key=True, serialize=False)),
                ("place", models.PositiveSmallIntegerField()),
                (
                    "rule",
                    models.CharField(
                        choices=[("coverage", "coverage"), ("sell_unused", "sell_unused"), ("roll", "roll"), ("swap", "swap")],
                        max_length=16,
                    ),
                ),
                ("verb", models.CharField(max_length=8)),
                ("side", models.PositiveSmallIntegerField()),
                ("quantity_lots", models.BigIntegerField()),
                ("price_ticks", models.BigIntegerField()),
                ("tif", models.PositiveSmallIntegerField()),
                ("units", models.BigIntegerField()),
                ("why", models.CharField(max_length=300)),
                (
                    "outcome",
                    models.CharField(choices=[("placed", "placed"), ("cancel_sent", "cancel_sent"), ("refused", "refused")], max_length=12),
                ),
                ("code", models.CharField(blank=True, default="", max_length=40)),
                ("detail", models.CharField(blank=True, default="", max_length=300)),
                ("order_id", models.UUIDField()),
                ("at", models.DateTimeField()),
                (
                    "book",
                    models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="exchange.book"),
                ),
                (
                    "pair_book",
                    models.ForeignKey(
                        db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="exchange.book"
                    ),
                ),
                (
                    "policy",
                    models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="exchange.policy"),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="actions", to="exchange.policyrun"
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="policy",
            index=models.Index(fields=["account", "id"], name="policy_account"),
        ),
        migrations.AddIndex(
            model_name="policy",
            index=models.Index(
                condition=models.Q(("state", "active"), models.Q(("kind", "agent"), _negated=True)), fields=["next_at"], name="policy_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="policy",
            constraint=models.CheckConstraint(condition=models.Q(("kind__in", ("rebalancer", "agent"))), name="policy_kind"),
        ),
        migrations.AddConstraint(
            model_name="policy",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ("active", "paused", "stopped", "ended"))), name="policy_state"
            ),
        ),
        migrations.AddConstraint(
            model_name="policy",
            constraint=models.CheckConstraint(condition=models.Q(("every_s__gte", 5), ("every_s__lte", 86400)), name="policy_every"),
        ),
        migrations.AddConstraint(
            model_name="policy",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "agent"), models.Q(("state", "ended"), _negated=True)),
                fields=("key",),
                name="policy_agent_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="policyrun",
            constraint=models.UniqueConstraint(fields=("policy", "number"), name="policy_run_number"),
        ),
        migrations.AddConstraint(
            model_name="policyrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("trigger__in", ("schedule", "fill", "window", "manual"))), name="policy_run_trigger"
            ),
        ),
        migrations.AddIndex(
            model_name="policyaction",
            index=models.Index(fields=["policy", "at"], name="policy_action_when"),
        ),
        migrations.AddIndex(
            model_name="policyaction",
            index=models.Index(fields=["order_id"], name="policy_action_order"),
        ),
        migrations.AddConstraint(
            model_name="policyaction",
            constraint=models.CheckConstraint(
                condition=models.Q(("price_ticks__gt", 0), ("quantity_lots__gt", 0), ("units__gt", 0)), name="policy_action_amounts"
            ),
        ),
        migrations.AddConstraint(
            model_name="policyaction",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("outcome__in", ("placed", "cancel_sent", "refused")), ("rule__in", ("coverage", "sell_unused", "roll", "swap"))
                ),
                name="policy_action_words",
            ),
        ),
        migrations.AddConstraint(
            model_name="policyaction",
            constraint=models.CheckConstraint(
                condition=models.Q(("pair_book", None), models.Q(("pair_book", models.F("book")), _negated=True), _connector="OR"),
                name="policy_action_pair",
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
