"""How often a busy process looks for cycles among its objects.

Batches and answers are tens of thousands of small objects that come and go without cycles: Python's defaults would look through
all that is remembered hundreds of times a second, and find nothing.
"""

import gc

MATCHING = (50_000, 20, 50)
ANSWERING = (20_000, 20, 50)


def settle(collect_after: tuple[int, int, int]) -> None:
    """Look seldom from now on, and never among what is here already. Once per process, after start-up and fork."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*collect_after)
