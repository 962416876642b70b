"""Indexes for pages of a registry of a million rights, and descent that can't run in a circle."""

import django.db.models.deletion
from django.db import migrations, models

FORWARD = """
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
CREATE TRIGGER right_descends BEFORE INSERT ON rights_right FOR EACH ROW EXECUTE FUNCTION check_right_descends();
CREATE TRIGGER right_keeps_descent BEFORE UPDATE OF parent_id, root_id ON rights_right FOR EACH ROW
    WHEN ((OLD.parent_id, OLD.root_id) IS DISTINCT FROM (NEW.parent_id, NEW.root_id)) EXECUTE FUNCTION check_right_descends();
"""
BACKWARD = """
DROP TRIGGER right_keeps_descent ON rights_right;
DROP TRIGGER right_descends ON rights_right;
DROP FUNCTION check_right_descends();
"""


class Migration(migrations.Migration):
    dependencies = [("rights", "0008_scale_one_right_per_root")]

    operations = [
        migrations.RemoveIndex(model_name="right", name="right_holder_series"),
        migrations.RemoveIndex(model_name="right", name="right_series_status"),
        migrations.AlterField(
            model_name="right",
            name="issuer",
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, to="rights.issuer"),
        ),
        migrations.AlterField(
            model_name="right",
            name="parent",
            field=models.ForeignKey(
                db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="children", to="rights.right"
            ),
        ),
        migrations.AlterField(model_name="right", name="root_id", field=models.UUIDField()),
        migrations.AddIndex(model_name="right", index=models.Index(fields=["holder", "series", "id"], name="right_holder_series")),
        migrations.AddIndex(model_name="right", index=models.Index(fields=["holder", "status", "id"], name="right_holder_status")),
        migrations.AddIndex(model_name="right", index=models.Index(fields=["issuer", "status", "id"], name="right_issuer_status")),
        migrations.AddIndex(model_name="right", index=models.Index(fields=["series", "status", "id"], name="right_series_status")),
        migrations.AddIndex(model_name="right", index=models.Index(fields=["status", "id"], name="right_status")),
        migrations.AddIndex(model_name="right", index=models.Index(fields=["parent", "id"], name="right_parent")),
        migrations.AddIndex(model_name="right", index=models.Index(fields=["root_id", "id"], name="right_root")),
        migrations.AddIndex(model_name="right", index=models.Index(fields=["root_id", "holder"], name="right_root_holder")),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
