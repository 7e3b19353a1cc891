"""Which rows share a run of the graph: padding is computed like text, so rows of like length go together."""


def length_batches(lengths, token_budget):
    """The places of `lengths` in groups, longest rows first; rows times the longest of a group is at most the budget.

    A row longer than the budget runs alone.
    """
    groups = []
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        if groups and lengths[groups[-1][0]] * (len(groups[-1]) + 1) <= token_budget:
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups
