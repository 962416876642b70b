"""Acts that wait for a second person, decided once; and passwords that somebody else knows and that open nothing yet."""

from django.db import migrations, models
from django.db.models import F, Q

FORWARD = """
CREATE FUNCTION check_proposal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'open' OR (NEW.id, NEW.kind, NEW.payload, NEW.reason, NEW.proposed_by, NEW.proposed_at, NEW.expires_at)
        IS DISTINCT FROM (OLD.id, OLD.kind, OLD.payload, OLD.reason, OLD.proposed_by, OLD.proposed_at, OLD.expires_at) THEN
        RAISE EXCEPTION 'proposal % is decided once and never changed', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER proposal_decided_once BEFORE UPDATE ON exchange_proposal FOR EACH ROW EXECUTE FUNCTION check_proposal();
CREATE TRIGGER proposal_kept BEFORE DELETE OR TRUNCATE ON exchange_proposal FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
BACKWARD = """
DROP TRIGGER proposal_kept ON exchange_proposal;
DROP TRIGGER proposal_decided_once ON exchange_proposal;
DROP FUNCTION check_proposal();
"""
STATUSES = ("open", "approved", "rejected", "expired")


class Migration(migrations.Migration):
    dependencies = [("exchange", "0010_fungible_post_only_books"), ("rights", "0002_guards")]
    operations = [
        migrations.AddField("membership", "password_once", models.BooleanField(default=False)),
        migrations.CreateModel(
            name="Proposal",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=32)),
                ("payload", models.JSONField()),
                ("reason", models.CharField(max_length=500)),
                ("proposed_by", models.CharField(max_length=80)),
                ("proposed_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("status", models.CharField(choices=[(s, s) for s in STATUSES], default="open", max_length=8)),
                ("decided_by", models.CharField(blank=True, default="", max_length=80)),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("decision", models.CharField(blank=True, default="", max_length=500)),
                ("outcome", models.CharField(blank=True, default="", max_length=200)),
            ],
            options={
                "indexes": [models.Index(fields=["expires_at"], name="proposal_open", condition=Q(status="open"))],
                "constraints": [
                    models.CheckConstraint(condition=Q(status__in=STATUSES), name="proposal_status"),
                    models.CheckConstraint(
                        condition=Q(status="open", decided_at=None, decided_by="")
                        | (~Q(status="open") & Q(decided_at__isnull=False) & ~Q(decided_by="")),
                        name="proposal_decided",
                    ),
                    models.CheckConstraint(condition=~Q(status="approved", decided_by=F("proposed_by")), name="proposal_two_persons"),
                ],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
