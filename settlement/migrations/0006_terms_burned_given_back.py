from django.db import migrations

# What was burned before assurances got their capacity back by it.
GIVE_BACK = """
UPDATE rights_assurance a SET issued_units = a.issued_units - x.units FROM (
    SELECT r.assurance_id AS id, sum(b.amount) AS units FROM settlement_balance b
    JOIN settlement_asset u ON u.id = b.asset_id AND u.kind = 'units' JOIN rights_account h ON h.id = b.account_id
    JOIN rights_right r ON r.id = u.root_right WHERE h.code = 'units:burned' GROUP BY 1) x WHERE x.id = a.id
"""


class Migration(migrations.Migration):
    dependencies = [("settlement", "0005_statements_through_trades"), ("rights", "0012_terms_ended_absorb_nothing")]
    operations = [migrations.RunSQL(GIVE_BACK, migrations.RunSQL.noop)]
