"""The commands, put together."""

import typer

from voxkeep.cli import collect, deliveries, demo, importing, kazoo, roster, serve, status, tenant, token, user

app = typer.Typer(
    name="voxkeep",
    help="One archive for every recorded call.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.command)
app.command("serve")(serve.command)
app.command("import")(importing.command)
app.command("status")(status.command)
app.add_typer(collect.app, name="collect")
app.add_typer(tenant.app, name="tenant")
app.add_typer(user.app, name="user")
app.add_typer(token.app, name="token")
app.add_typer(roster.app, name="roster")
app.add_typer(kazoo.app, name="kazoo")
app.add_typer(deliveries.app, name="deliveries")
