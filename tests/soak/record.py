"""pytest plugin of `make soak`: leaves out what has passed, and notes each result as it comes."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime

import pytest

from tests.soak import results


class Record:
    def __init__(self, *, again: bool, writes: bool) -> None:
        self._known = results.read()
        self._again = again
        self._writes = writes  # one process alone, of several that run tests
        self._commit = commit() if writes else ""
        self._seconds: dict[str, float] = {}
        self._outcomes: dict[str, str] = {}

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        if self._again:
            return
        done = [item for item in items if self._passed(item.nodeid)]
        config.hook.pytest_deselected(items=done)
        items[:] = [item for item in items if not self._passed(item.nodeid)]

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:  # everything has passed before
            session.exitstatus = pytest.ExitCode.OK

    def _passed(self, name: str) -> bool:
        return name in self._known and self._known[name].outcome == "passed"

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid
        self._seconds[name] = self._seconds.get(name, 0.0) + report.duration
        if report.outcome != "passed" or name not in self._outcomes:
            self._outcomes[name] = report.outcome
        if report.when == "teardown" and self._writes:
            self._note(name)

    def _note(self, name: str) -> None:
        today = datetime.now(UTC).date().isoformat()
        seconds = round(self._seconds[name], 1)
        self._known[name] = results.Result(self._outcomes[name], seconds, today, self._commit)
        results.write(self._known)


def commit() -> str:
    """Of the checkout, with "+" where it has changes beside the results themselves."""
    head = _git("rev-parse", "--short", "HEAD")
    own = [f":(exclude){path}" for path in (results.JSON, results.MARKDOWN)]
    return head + ("+" if _git("status", "--porcelain", "--", ".", *own) else "")


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--again", action="store_true", help="tests that have passed as well")


def pytest_configure(config: pytest.Config) -> None:
    writes = not hasattr(config, "workerinput")
    config.pluginmanager.register(Record(again=config.getoption("--again"), writes=writes))
