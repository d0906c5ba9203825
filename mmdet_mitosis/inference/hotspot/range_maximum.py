"""The highest of many counts that change a range at a time."""

from __future__ import annotations


class RangeMaximum:
    """A row of counts, at first 0, as a segment tree.

    Args:
        n: Their number, at least 1.
    """

    def __init__(self, n: int) -> None:
        self._n_leaves = 1 << (n - 1).bit_length()
        self._best = [0] * (2 * self._n_leaves)
        self._added = [0] * self._n_leaves

    @property
    def highest(self) -> int:
        """The highest count."""
        return self._best[1]

    def first_highest(self) -> int:
        """Give the index of the first of the highest counts.

        Returns:
            The index.
        """
        node = 1
        while node < self._n_leaves:
            node *= 2
            if self._best[node] < self._best[node + 1]:
                node += 1
        return node - self._n_leaves

    def add(self, first: int, last: int, value: int) -> None:
        """Add to the counts of a range.

        Args:
            first: Index of its first count.
            last: Index of its last count.
            value: What to add.
        """
        best, added, n_leaves = self._best, self._added, self._n_leaves
        left, right = first + n_leaves, last + n_leaves + 1
        while left < right:
            if left & 1:
                best[left] += value
                if left < n_leaves:
                    added[left] += value
                left += 1
            if right & 1:
                right -= 1
                best[right] += value
                if right < n_leaves:
                    added[right] += value
            left >>= 1
            right >>= 1
        self._update_above(first + n_leaves)
        self._update_above(last + n_leaves)

    def _update_above(self, node: int) -> None:
        """Bring the nodes above a node up to date."""
        best, added = self._best, self._added
        node >>= 1
        while node:
            left, right = best[2 * node], best[2 * node + 1]
            best[node] = (left if left > right else right) + added[node]
            node >>= 1
