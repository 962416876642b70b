"""Writes that wait for each other go in as few statements as say the same."""

from rights.kernel.rows import _Rows, _Together

STEP = "UPDATE settlement SET state = %s"


def written(kept: _Together) -> list[tuple[str, list[str]]]:
    return [(each.sql, each.parameters()) for each in kept.statements if isinstance(each, _Rows)]


def test_each_row_is_written_as_often_as_it_was_said_and_in_order():
    kept = _Together()
    for key in "abc":
        kept.add_row(STEP, key, (key, "classified"), is_last_word=False)
        if key != "b":
            kept.add_row(STEP, key, (key, "final"), is_last_word=False)
    assert written(kept) == [
        (STEP, ['{"a","b","c"}', '{"classified","classified","classified"}']),
        (STEP, ['{"a","c"}', '{"final","final"}']),
    ]


def test_only_the_last_word_is_written_where_that_is_all_that_counts():
    kept = _Together()
    for key, state in (("a", "completed"), ("a", "settled"), ("b", "failed")):
        kept.add_row(STEP, key, (key, state), is_last_word=True)
    assert written(kept) == [(STEP, ['{"a","b"}', '{"settled","failed"}'])]
