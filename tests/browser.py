"""A real browser, headless: what a page shows, complains of and asks the network for."""

import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands import PATIENCE_S

INSTALL = "make system"
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-sync", "--disable-background-networking", "--disable-component-update", "--disable-quic",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr",
    "--virtual-time-budget=3000",
)  # fmt: skip
BY_NOBODY = "not an origin"
CONSOLE = re.compile(r'CONSOLE[:(]\d+[)\]]\s*"?(.*)')


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A page after its scripts ran: its DOM, its words on the console, the addresses it asked for."""

    dom: str
    console: list[str]
    requests: list[str]


def opened(page: Path) -> Page:
    """Open a file in Chromium; the test is skipped where there is none."""
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip(f"chromium not found; install with: {INSTALL}")
    # Some process of the browser may write into the folder while it is removed.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "net.json"
        words = [browser, *OPTIONS, f"--user-data-dir={folder}", f"--log-net-log={log}", "--dump-dom"]
        done = subprocess.run(
            [*words, page.as_uri()], capture_output=True, text=True, timeout=PATIENCE_S, check=True
        )
        asked = _requests(log)
    return Page(dom=done.stdout, console=CONSOLE.findall(done.stderr), requests=asked)


def _requests(log: Path) -> list[str]:
    """Return the addresses of all requests in a net log, but for those that no page began."""
    events = [event.get("params", {}) for event in json.loads(log.read_text())["events"]]
    return [one["url"] for one in events if one.get("initiator", BY_NOBODY) != BY_NOBODY]
