"""The people and skills of the sample contact centre. All are invented; so are their numbers (555-01xx)."""

from msgspec import Struct

from voxkeep.archive.model import Agent, AgentKind, Skill, Tenant


class DemoTenant(Struct, frozen=True):
    """A sample tenant."""

    name: str
    host: str
    zone: str
    service_user: str
    chats: int
    parent: str = ""
    """The tenant whose Kazoo account is above this one's."""


class DemoAgent(Struct, frozen=True):
    """A sample agent."""

    name: str
    extension: str
    login: str
    skill: str


TENANTS = (
    DemoTenant("acme-ns", "acme.xima.test", "America/Denver", "demo-acme", 24),
    DemoTenant("globex-ns", "globex.xima.test", "Europe/Berlin", "demo-globex", 3),
    DemoTenant("acme-west-ns", "acme-west.xima.test", "America/Los_Angeles", "demo-acme-west", 2, parent="acme-ns"),
)
"""The first is what everything is about, the second shows that tenants never see each other, the third is below the
first in Kazoo's eyes."""

SKILLS = (("101", "CC Sales"), ("102", "CC Support"), ("103", "CC Billing"), ("104", "CC Spanish"))

AGENTS = tuple(
    DemoAgent(name, str(251 + number), name.split()[0].lower(), SKILLS[number % len(SKILLS)][1])
    for number, name in enumerate(
        (
            "Spencer Porter", "Kelly Jaques", "Maria Lindgren", "Tom Okafor", "Ines Duarte",
            "Bill Harmon", "Yuki Tanaka", "Ruth Adler", "Omar Haddad", "Nora Byrne",
        )
    )
)  # fmt: skip

UC_AGENTS = frozenset({"253", "258", "260"})
"""Extensions of those who talk by a phone of the telephony platform, not by the softphone."""

CALLERS = (
    ("WIRELESS CALLER", "Reno, NV"), ("HOLLOWAY J", "Denver, CO"), ("MESA DENTAL", "Mesa, AZ"),
    ("UNKNOWN NAME", ""), ("BRIGHT FOODS", "Boise, ID"), ("PARK A", "Austin, TX"), ("LINDEN LLC", "Provo, UT"),
)  # fmt: skip
MAIN_NUMBERS = {"101": "18015550101", "102": "18015550102", "103": "18015550103", "104": "18015550104"}


def agents_of(tenant: Tenant) -> list[Agent]:
    """Return the sample agents as a tenant's roster has them."""
    return [
        Agent(
            tenant=tenant.id,
            name=agent.name,
            extension=agent.extension,
            login=agent.login,
            email=f"{agent.login}@{tenant.host}",
            kind=AgentKind.UC if agent.extension in UC_AGENTS else AgentKind.XIMA,
        )
        for agent in AGENTS
    ]


def skills_of(tenant: Tenant) -> list[Skill]:
    """Return the sample skills as a tenant's roster has them."""
    return [Skill(tenant=tenant.id, id=identity, name=name) for identity, name in SKILLS]
