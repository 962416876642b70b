"""What reads need: a book's trades by time without an index on time, and an order's changes by its id."""

from django.db import migrations

# Trade numbers have no gaps and rise with time, so halving the range finds the first trade of a moment in a few look-ups.
FORWARD = """
CREATE FUNCTION first_trade_since(book bigint, since timestamptz, last_no bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
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
CREATE INDEX command_change_order ON exchange_command (order_id) WHERE kind IN (1, 2);
"""
BACKWARD = "DROP INDEX command_change_order; DROP FUNCTION first_trade_since(bigint, timestamptz, bigint);"


class Migration(migrations.Migration):
    dependencies = [("exchange", "0004_command_order")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
