"""What a restricted reader may see, as a condition on recordings."""

from voxkeep.archive.query import ALL, Visibility
from voxkeep.database import Value


def condition(visibility: Visibility, first_place: int) -> tuple[str, tuple[Value, ...]]:
    """Return an SQL condition (with its AND) and its values, whose placeholders begin at `$first_place`."""
    if visibility == ALL:
        return "", ()
    texts, values = [], list[Value]()
    agents = visibility.agents - {""}

    def places(names: frozenset[str]) -> str:
        begin = first_place + len(values)
        values.extend(sorted(names))
        return ", ".join(f"${number}" for number in range(begin, begin + len(names)))

    if agents:
        names = places(agents)
        displayed = ", ".join(f"{place} || '(' || agent_extension || ')'" for place in names.split(", "))
        texts.append(
            f"AND (agent IN ({names}) OR agent_extension IN ({names}) OR agent_login IN ({names}) "
            f"OR (agent_extension <> '' AND agent IN ({displayed})))"
        )
    elif visibility.agents:
        texts.append("AND 1 = 0")  # restricted to an agent without a name: nobody is called that
    if visibility.skills:
        texts.append(f"AND skill IN ({places(visibility.skills)})")
    return " ".join(texts), tuple(values)
