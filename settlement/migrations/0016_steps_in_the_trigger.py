"""The trigger holds the table of SPEC §9 itself: to look it up for every step cost more than to write the settlement.

The table in the database stays, for whoever reads it; the audit compares both with the code.
"""

from importlib import import_module

from django.db import migrations

from settlement.domain.settlement_states import steps

STEPS = ",".join(" ".join(step) for step in steps())

FORWARD = f"""
DROP TRIGGER settlement_step ON settlement_settlement;
CREATE OR REPLACE FUNCTION check_settlement_step() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER settlement_begins BEFORE INSERT ON settlement_settlement FOR EACH ROW WHEN (NEW.state <> 'unsettled')
    EXECUTE FUNCTION check_settlement_step();
CREATE TRIGGER settlement_step BEFORE UPDATE ON settlement_settlement FOR EACH ROW EXECUTE FUNCTION check_settlement_step();
"""
_FORMER = import_module("settlement.migrations.0008_settlement_guards").FORWARD
_FUNCTION = _FORMER[_FORMER.index("CREATE FUNCTION") : _FORMER.index("CREATE TRIGGER")].replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
BACKWARD = f"""
DROP TRIGGER settlement_begins ON settlement_settlement;
DROP TRIGGER settlement_step ON settlement_settlement;
{_FUNCTION}
CREATE TRIGGER settlement_step BEFORE INSERT OR UPDATE ON settlement_settlement FOR EACH ROW EXECUTE FUNCTION check_settlement_step();
"""


class Migration(migrations.Migration):
    dependencies = [("settlement", "0015_rows_of_requests_without_foreign_keys")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
