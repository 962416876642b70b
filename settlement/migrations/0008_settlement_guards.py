"""A settlement moves along the table of SPEC §9 only, its last event says why; proofs, evidence and the table itself are never edited."""

from django.db import migrations

from settlement.domain.settlement_states import steps

RULES = ", ".join(f"('{start}', '{event}', '{end}')" for start, event, end in steps())

FORWARD = f"""
INSERT INTO settlement_settlementrule (start, event, "end") VALUES {RULES};
CREATE FUNCTION check_settlement_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'unsettled' THEN
            RAISE EXCEPTION 'a settlement begins unsettled, not %', NEW.state USING ERRCODE = 'check_violation', CONSTRAINT = 'settlement_step';
        END IF;
    ELSIF (NEW.id, NEW.request_id) <> (OLD.id, OLD.request_id) THEN
        RAISE EXCEPTION 'a settlement stays with its request' USING ERRCODE = 'check_violation', CONSTRAINT = 'settlement_step';
    ELSIF NEW.state <> OLD.state AND NOT EXISTS (
        SELECT 1 FROM settlement_settlementrule r WHERE r.start = OLD.state AND r.event = NEW.last_event AND r."end" = NEW.state) THEN
        RAISE EXCEPTION 'settlement % may not go from % by % to %', NEW.id, OLD.state, NEW.last_event, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'settlement_step';
    ELSIF OLD.state = 'finalized' AND NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'settlement % is final', NEW.id USING ERRCODE = 'check_violation', CONSTRAINT = 'settlement_step';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER settlement_step BEFORE INSERT OR UPDATE ON settlement_settlement FOR EACH ROW EXECUTE FUNCTION check_settlement_step();
CREATE TRIGGER settlement_stays BEFORE DELETE OR TRUNCATE ON settlement_settlement FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER proof_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON settlement_proof FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER evidence_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON settlement_evidence FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER rule_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON settlement_settlementrule FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
BACKWARD = """
DROP TRIGGER rule_append_only ON settlement_settlementrule;
DROP TRIGGER evidence_append_only ON settlement_evidence;
DROP TRIGGER proof_append_only ON settlement_proof;
DROP TRIGGER settlement_stays ON settlement_settlement;
DROP TRIGGER settlement_step ON settlement_settlement;
DROP FUNCTION check_settlement_step();
"""


class Migration(migrations.Migration):
    dependencies = [("settlement", "0007_using_rights"), ("rights", "0002_guards")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
