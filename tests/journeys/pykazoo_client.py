"""What a script written with PyKazoo does with recordings; run as a process of its own. JSON on stdin and stdout."""

import json
import sys
import time
from typing import Any

from pykazoo.client import PyKazooClient  # type: ignore[import-untyped]


def main() -> None:
    task = json.load(sys.stdin)
    client = PyKazooClient(f"{task['url']}/v2")
    told: dict[str, Any] = {"before": client.authentication.authenticated}

    def log_in() -> None:
        if "api_key" in task:
            client.authentication.api_auth(task["api_key"])
        else:
            client.authentication.user_auth(task["username"], task["password"], task["account_name"])

    log_in()
    account = client.authentication.account_id
    told["account_id"] = account
    ask = client.users.rest_request
    path = f"accounts/{account}/recordings"

    page = ask.get(path, {"page_size": 5, "filter_direction": "outbound"})
    told["page_size"] = page["page_size"]
    told["directions"] = sorted({each["direction"] for each in page["data"]})
    ids = [each["id"] for each in page["data"]]
    told["one"] = ask.get(f"{path}/{ids[0]}")["data"]
    told["account_name"] = client.accounts.get_account(account)["data"]["name"]
    told["users"] = len(client.users.get_users(account)["data"])
    time.sleep(task.get("pause", 0))
    try:
        ask.get(path)
    except PermissionError:
        told["expired"] = True
        log_in()
    told["after_expiry"] = ask.get(f"{path}/{ids[1]}")["data"]["id"] == ids[1]
    told["deleted"] = ask.delete(f"{path}/{ids[0]}")["data"]["id"] == ids[0]
    try:
        ask.get(f"{path}/{ids[0]}")
    except ValueError as error:
        told["gone"] = str(error)
    json.dump(told, sys.stdout)


main()
