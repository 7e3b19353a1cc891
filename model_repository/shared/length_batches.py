"""Which rows share a run of the graph: padding is computed like text, so rows of like length go together."""

# Where few rows wait, a thread gets so many groups, so that none waits long for another; of at least so many tokens.
GROUPS_A_THREAD = 4
LEAST_TOKENS = 48


def spread(lengths, token_budget, threads):
    """The token budget for rows that run side by side on `threads`: less, where few wait, and never for one thread."""
    if threads == 1:
        return token_budget
    return min(token_budget, max(LEAST_TOKENS, sum(lengths) // (GROUPS_A_THREAD * threads)))


def length_batches(lengths, token_budget, most_rows=None):
    """The places of `lengths` in groups, longest rows first; rows times the longest of a group is at most the budget.

    A row longer than the budget runs alone. No group has more than `most_rows`.
    """
    groups = []
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        rows = len(groups[-1]) + 1 if groups else 0
        if groups and lengths[groups[-1][0]] * rows <= token_budget and rows <= (most_rows or rows):
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups
