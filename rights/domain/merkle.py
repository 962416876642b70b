"""Merkle trees as RFC 6962 (Certificate Transparency) defines them: roots, inclusion and consistency proofs over SHA-256. Pure.

A leaf is hashed with a byte 0 in front, an inner node with a byte 1, so that neither can pass for the other. The left subtree of `n` leaves
has the largest power of two below `n`. Leaves are bytes, hashes 32 bytes.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """Grows leaf by leaf and keeps only the roots of its whole subtrees: as many as `size` has ones in binary."""

    def __init__(self) -> None:
        self.size = 0
        self._whole: list[bytes] = []  # largest first

    def add(self, leaf: bytes) -> None:
        """Append one leaf."""
        node, ones = leaf_hash(leaf), self.size
        while ones & 1:
            node, ones = node_hash(self._whole.pop(), node), ones >> 1
        self._whole.append(node)
        self.size += 1

    def root(self) -> bytes:
        """The root of what has been added so far."""
        if not self._whole:
            return EMPTY_ROOT
        root = self._whole[-1]
        for left in reversed(self._whole[:-1]):
            root = node_hash(left, root)
        return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over `leaves` in their order."""
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()


def inclusion_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """The hashes that lead from leaf `index` (from 0) to the root, lowest first. IndexError when there is no such leaf."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"{len(leaves)} leaves have none numbered {index}")
    level = [leaf_hash(leaf) for leaf in leaves]
    path = []
    while len(level) > 1:
        beside = index ^ 1
        if beside < len(level):
            path.append(level[beside])
        level = _above(level)
        index >>= 1
    return path


def _above(level: Sequence[bytes]) -> list[bytes]:
    """The next level; a last node without a neighbour rises as it is."""
    pairs = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return pairs + list(level[len(pairs) * 2 :])


def is_included(*, leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether `path` proves that `leaf` stands at `index` in the tree of `size` leaves under `root`."""
    if not 0 <= index < size:
        return False
    node, last, rest = leaf_hash(leaf), size - 1, iter(path)
    for beside in rest:
        if last == 0:
            return False  # longer than the tree is high
        while not index & 1 and index == last:  # a last node without a neighbour rises as it is
            index, last = index >> 1, last >> 1
        node = node_hash(beside, node) if index & 1 else node_hash(node, beside)
        index, last = index >> 1, last >> 1
    return last == 0 and node == root


def consistency_path(first: int, leaves: Sequence[bytes]) -> list[bytes]:
    """What proves that the tree of the `first` leaves is the beginning of the tree of all. ValueError unless 1 ≤ first ≤ all."""
    if not 1 <= first <= len(leaves):
        raise ValueError(f"a tree of {len(leaves)} leaves has no beginning of {first}")
    return list(_consistency(first, leaves, is_whole=True))


def _consistency(first: int, leaves: Sequence[bytes], *, is_whole: bool) -> Iterator[bytes]:
    """RFC 6962, 2.1.2; `is_whole`: the verifier knows the root of these first leaves already."""
    size = len(leaves)
    if first == size:
        if not is_whole:
            yield root_of(leaves)
        return
    left = _left(size)
    if first <= left:
        yield from _consistency(first, leaves[:left], is_whole=is_whole)
        yield root_of(leaves[left:])
    else:
        yield from _consistency(first - left, leaves[left:], is_whole=False)
        yield root_of(leaves[:left])


def _left(size: int) -> int:
    """How many of `size` > 1 leaves are in the left subtree."""
    return 1 << (size - 1).bit_length() - 1


def is_consistent(*, first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether `path` proves that the tree of `first` leaves under `first_root` is the beginning of the one of `second` under `second_root`."""
    if not 1 <= first <= second:
        return False
    if first == second:
        return not path and first_root == second_root
    index, last = first - 1, second - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    rest = list(path) if index else [first_root, *path]  # of a whole subtree the first root is itself the start
    if not rest:
        return False
    old = new = rest[0]
    for beside in rest[1:]:
        if last == 0:
            return False
        if index & 1 or index == last:
            old, new = node_hash(beside, old), node_hash(beside, new)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            new = node_hash(new, beside)
        index, last = index >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root
