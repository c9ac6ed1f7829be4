"""Which variables are one: they share an object, or each needs the other.

What is saved together comes back together, with everything shared that was shared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping


def covariables(reached: Mapping[str, Iterable[int]], needs: Mapping[str, Collection[str]]) -> list[frozenset[str]]:
    """Groups of names. `reached` and `needs` are those of each name's own pickle; needed names that are not keys of
    `reached` are left alone."""
    parent = {name: name for name in reached}

    def find(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    owner: dict[int, str] = {}
    for name, ids in reached.items():
        for at in ids:
            parent[find(owner.setdefault(at, name))] = find(name)
    graph: dict[str, set[str]] = {find(name): set() for name in reached}
    for name in reached:
        graph[find(name)].update(find(other) for other in needs.get(name, ()) if other in parent)
    for circle in _circles(graph):
        for root in circle:
            parent[find(root)] = find(circle[0])
    groups: dict[str, set[str]] = {}
    for name in reached:
        groups.setdefault(find(name), set()).add(name)
    return [frozenset(group) for group in groups.values()]


def _circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Strongly connected components (Tarjan), without recursion: a chain of functions may be long."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    waiting: set[str] = set()
    found: list[list[str]] = []
    for start in graph:
        if start in index:
            continue
        work = [(start, iter(graph[start]))]
        index[start] = low[start] = len(index)
        stack.append(start)
        waiting.add(start)
        while work:
            node, following = work[-1]
            step = next(following, None)
            if step is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    at = stack.index(node)
                    found.append(stack[at:])
                    waiting.difference_update(stack[at:])
                    del stack[at:]
            elif step not in index:
                index[step] = low[step] = len(index)
                stack.append(step)
                waiting.add(step)
                work.append((step, iter(graph[step])))
            elif step in waiting:
                low[node] = min(low[node], index[step])
    return found
