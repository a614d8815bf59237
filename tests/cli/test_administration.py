import getpass

import pytest

from voxkeep.cli.administration import moment, operator, print_secret, print_table, size


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1_000, "1.00 kB"), (2_880_000_000, "2.88 GB"), (5 * 10**15, "5000.00 TB")],
)
def test_sizes_are_decimal(size_bytes: int, text: str) -> None:
    assert size(size_bytes) == text


def test_a_moment_is_told_in_utc() -> None:
    assert moment(1_790_000_000_999) == "2026-09-21T14:13:20Z"
    assert moment(None) is None


def test_whoever_is_at_the_keyboard_is_named_even_without_a_login_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ann")
    assert operator() == "cli:ann"

    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert operator().removeprefix("cli:").isdigit()


def test_a_token_stands_alone_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    print_secret("vk_abc", "The token of bi")
    assert capsys.readouterr() == ("vk_abc\n", "The token of bi; it is shown this once:\n")


def test_brackets_in_a_table_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("agent",), [("[red]Ann[/red]",), ("[/]",)])
    shown = capsys.readouterr().out
    assert "[red]Ann[/red]" in shown
    assert "[/]" in shown
