"""Trees against the definition of RFC 6962 written down naively; proofs that hold, and no other that does."""

import hashlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rights.domain.merkle import EMPTY_ROOT, Tree, consistency_path, inclusion_path, is_consistent, is_included, leaf_hash, root_of


def naive_root(leaves):
    """RFC 6962, 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = max(2**power for power in range(40) if 2**power < len(leaves))
    return hashlib.sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_path(m, leaves):
    """RFC 6962, 2.1.1."""
    if len(leaves) == 1:
        return []
    k = max(2**power for power in range(40) if 2**power < len(leaves))
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_root(leaves[:k])]


def numbered(count):
    return [str(number).encode() for number in range(count)]


LEAVES = st.lists(st.binary(max_size=40), max_size=70)


@given(LEAVES)
def test_the_root_is_the_definitions(leaves):
    assert root_of(leaves) == naive_root(leaves)


@given(LEAVES.filter(bool), st.data())
def test_inclusion_is_proved_as_defined(leaves, data):
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = inclusion_path(index, leaves)
    assert path == naive_path(index, leaves)
    assert is_included(leaf=leaves[index], index=index, size=len(leaves), path=path, root=root_of(leaves))


def test_every_leaf_of_every_small_tree_and_every_beginning():
    for size in range(1, 66):
        leaves = numbered(size)
        root = root_of(leaves)
        for index in range(size):
            path = inclusion_path(index, leaves)
            assert is_included(leaf=leaves[index], index=index, size=size, path=path, root=root)
            assert not any(
                is_included(leaf=leaves[index], index=other, size=size, path=path, root=root) for other in range(size) if other != index
            )
        for first in range(1, size + 1):
            path = consistency_path(first, leaves)
            before = root_of(leaves[:first])
            assert is_consistent(first=first, second=size, first_root=before, second_root=root, path=path), (first, size)
            assert not is_consistent(first=first, second=size, first_root=leaf_hash(b"?"), second_root=root, path=path)
            assert not is_consistent(first=first, second=size, first_root=before, second_root=leaf_hash(b"?"), path=path)


@given(LEAVES.filter(bool), st.data())
def test_a_changed_proof_proves_nothing(leaves, data):
    index = data.draw(st.integers(0, len(leaves) - 1))
    path, root = inclusion_path(index, leaves), root_of(leaves)
    leaf = data.draw(st.binary(max_size=40))
    assume(leaf != leaves[index])
    assert not is_included(leaf=leaf, index=index, size=len(leaves), path=path, root=root)
    changed = list(path)
    place = data.draw(st.integers(0, len(changed)))
    changed.insert(place, data.draw(st.binary(min_size=32, max_size=32)))
    assert not is_included(leaf=leaves[index], index=index, size=len(leaves), path=changed, root=root)
    if path:
        assert not is_included(leaf=leaves[index], index=index, size=len(leaves), path=path[:-1], root=root)
        assert not is_included(leaf=leaves[index], index=index, size=len(leaves), path=path[1:], root=root)


@given(st.integers(1, 200), st.data())
def test_a_rewritten_beginning_is_no_beginning(size, data):
    leaves = numbered(size)
    first = data.draw(st.integers(1, size))
    path = consistency_path(first, leaves)
    rewritten = [*leaves]
    rewritten[data.draw(st.integers(0, first - 1))] = b"forged"
    assert not is_consistent(first=first, second=size, first_root=root_of(rewritten[:first]), second_root=root_of(leaves), path=path)
    assert not is_consistent(
        first=first, second=size, first_root=root_of(leaves[:first]), second_root=root_of(leaves), path=[*path, leaf_hash(b"x")]
    )


@given(LEAVES)
def test_a_tree_that_grows_has_every_root_on_the_way(leaves):
    tree = Tree()
    assert tree.root() == EMPTY_ROOT
    for count, leaf in enumerate(leaves, 1):
        tree.add(leaf)
        assert (tree.size, tree.root()) == (count, naive_root(leaves[:count]))


def test_what_there_is_no_proof_for():
    with pytest.raises(IndexError):
        inclusion_path(3, numbered(3))
    for first in (0, 4):
        with pytest.raises(ValueError, match="no beginning"):
            consistency_path(first, numbered(3))
    assert not is_included(leaf=b"", index=1, size=1, path=[], root=leaf_hash(b""))
    assert not is_included(leaf=b"", index=0, size=0, path=[], root=EMPTY_ROOT)
    assert not is_consistent(first=2, second=1, first_root=b"", second_root=b"", path=[])
    assert not is_consistent(first=3, second=5, first_root=b"", second_root=b"", path=[])


def test_a_leaf_is_never_taken_for_a_node():
    one, two = numbered(2)
    pair = leaf_hash(one) + leaf_hash(two)
    assert leaf_hash(pair) != root_of([one, two])
