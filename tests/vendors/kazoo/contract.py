"""The contract as it is written, for tests that hold the server to it and it to the server."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import schemathesis
from jsonschema_rs import Draft202012Validator

CONTRACT = Path(str(files("voxkeep.vendors.kazoo") / "openapi.yaml"))
SCHEMA = schemathesis.openapi.from_path(CONTRACT)
LOGINS = {"/v2/user_auth", "/v2/api_auth"}


def document() -> dict[str, Any]:
    raw: dict[str, Any] = SCHEMA.raw_schema
    return raw


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = document()["components"]["schemas"][name]
    return found


def operations() -> list[tuple[str, str]]:
    paths = document()["paths"].items()
    return [(path, method.upper()) for path, methods in paths for method in methods if method != "parameters"]


def responses(path: str, method: str) -> set[str]:
    return set(document()["paths"][path][method.lower()]["responses"])


def conforms(value: object, described: dict[str, Any]) -> list[str]:
    """Return what of a value a schema of the document forbids."""
    whole = {"$ref": "#/described", "described": described, "components": document()["components"]}
    return [error.message for error in Draft202012Validator(whole).iter_errors(value)]
