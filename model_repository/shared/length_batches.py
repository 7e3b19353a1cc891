"""Groups rows of similar length into one run of the graph, because padding costs as much as text."""

from collections.abc import Sequence

# With few rows, each thread gets this many groups, of at least this many tokens, so that no row waits long for others.
GROUPS_PER_THREAD = 4
MIN_TOKENS = 48


def spread(lengths: Sequence[int], token_budget: int, threads: int) -> int:
    """The token budget for rows that run side by side on `threads`: reduced if there are few rows."""
    if threads == 1:
        return token_budget
    return min(token_budget, max(MIN_TOKENS, sum(lengths) // (GROUPS_PER_THREAD * threads)))


def length_batches(lengths: Sequence[int], token_budget: int, max_rows: int | None = None) -> list[list[int]]:
    """Groups the indices of `lengths`, longest rows first; rows times the longest of a group is at most the budget.

    A row longer than the budget runs alone. No group has more than `max_rows`.
    """
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        rows = len(groups[-1]) + 1 if groups else 0
        if groups and lengths[groups[-1][0]] * rows <= token_budget and rows <= (max_rows or rows):
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups
