"""What the database itself refuses in the registry: edits of memory, illegal lifecycles, over-issuance."""

from django.db import migrations

# SPEC §2, lifecycle. The same table stands in rights/domain/lifecycle.py; a test compares the two.
EDGES = [
    ("issued", "active"), ("issued", "frozen"), ("issued", "expired"), ("issued", "burned"),
    ("active", "frozen"), ("active", "expired"), ("active", "fully_consumed"), ("active", "finalized"),
    ("frozen", "issued"), ("frozen", "active"), ("frozen", "fully_consumed"), ("frozen", "expired"),
    ("frozen", "finalized"), ("frozen", "burned"),
    ("fully_consumed", "finalized"), ("fully_consumed", "burned"),
    ("expired", "finalized"), ("expired", "burned"),
]

FORWARD = f"""
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rights_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER terms_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rights_terms
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE rights_lifecycle (from_status varchar(16), to_status varchar(16), PRIMARY KEY (from_status, to_status));
INSERT INTO rights_lifecycle VALUES {", ".join(f"('{a}', '{b}')" for a, b in EDGES)};
CREATE FUNCTION check_right_lifecycle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM rights_lifecycle WHERE from_status = OLD.status AND to_status = NEW.status) THEN
        RAISE EXCEPTION 'right % may not go from % to %', OLD.id, OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER right_lifecycle BEFORE UPDATE OF status ON rights_right
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION check_right_lifecycle();

CREATE FUNCTION check_assurance_capacity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.issued_units > floor(floor(NEW.gross_units::numeric * (10000 - NEW.haircut_bps) / 10000) * (10000 + NEW.overbook_bps) / 10000) THEN
        RAISE EXCEPTION 'assurance % can not back % units', NEW.id, NEW.issued_units
            USING ERRCODE = 'check_violation', CONSTRAINT = 'assurance_capacity';
    END IF;
    RETURN NEW;
END $$;
-- Only growth is checked: capacity that drifts away pauses issuance, it never rewrites what was issued (SPEC §7).
CREATE TRIGGER assurance_capacity_insert BEFORE INSERT ON rights_assurance
    FOR EACH ROW EXECUTE FUNCTION check_assurance_capacity();
CREATE TRIGGER assurance_capacity_update BEFORE UPDATE ON rights_assurance
    FOR EACH ROW WHEN (NEW.issued_units > OLD.issued_units) EXECUTE FUNCTION check_assurance_capacity();

ALTER TABLE rights_right SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE rights_stream SET (fillfactor = 20, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 500);
"""

BACKWARD = """
DROP TRIGGER assurance_capacity_update ON rights_assurance;
DROP TRIGGER assurance_capacity_insert ON rights_assurance;
DROP FUNCTION check_assurance_capacity();
DROP TRIGGER right_lifecycle ON rights_right;
DROP FUNCTION check_right_lifecycle();
DROP TABLE rights_lifecycle;
DROP TRIGGER terms_append_only ON rights_terms;
DROP TRIGGER event_append_only ON rights_event;
DROP FUNCTION refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("rights", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
