"""What an agent and a skill of a roster may be: so that no two agents of a tenant are displayed alike."""

import re
from collections.abc import Mapping

from voxkeep.archive.errors import ArchiveError
from voxkeep.archive.mentions import DISPLAYED
from voxkeep.archive.model import Agent, Skill

LONGEST = 200
EXTENSION = re.compile(r"[^()\s]*")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


class BadEntry(ArchiveError):
    """An agent or skill that cannot be in a roster; the text names the field."""


def checked_agent(agent: Agent) -> Agent:
    """Return `agent` if its fields can be; raises BadEntry naming the one that cannot."""
    _check_texts({"name": agent.name, "extension": agent.extension, "login": agent.login, "email": agent.email})
    if not agent.name and not agent.extension:
        raise BadEntry("name: an agent needs a name or an extension")
    if not EXTENSION.fullmatch(agent.extension):
        raise BadEntry("extension: no parentheses or spaces")
    if not agent.extension and DISPLAYED.fullmatch(agent.name):
        raise BadEntry("name: what stands in parentheses at its end is an extension: give it as that")
    if agent.email and not EMAIL.fullmatch(agent.email):
        raise BadEntry("email: not an address")
    return agent


def checked_skill(skill: Skill) -> Skill:
    """Return `skill` if its fields can be; raises BadEntry naming the one that cannot."""
    _check_texts({"name": skill.name, "id": skill.id})
    if not skill.name and not skill.id:
        raise BadEntry("name: a skill needs a name or an id")
    return skill


def _check_texts(fields: Mapping[str, str]) -> None:
    for name, text in fields.items():
        if len(text) > LONGEST or not text.isprintable() or text != text.strip():
            raise BadEntry(f"{name}: printable text, at most {LONGEST} characters, without spaces around it")
