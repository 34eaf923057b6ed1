"""Take the screenshots of README and docs from the demo: ``docs/images/*.png``.

    DATAFLYT_LOCAL=/tmp/empty make up                             in another window
    DATAFLYT_LOCAL=/tmp/empty .venv/bin/python docs/screenshots.py     [--port 8080] [--chromium /usr/bin/chromium]

Starts a run of Haugesund unless one waits for an answer, logs in as the kommune's approver, and photographs the
question, the DAG and our pages in a headless Chromium or Chrome, which must be installed. The browser is driven by the
DevTools protocol. At last it answers the question, and photographs the run that has ended. Only a first run is sure to
have a question: the folder must be empty when `make up` begins. All people are simulated.
"""

import argparse
import base64
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from websockets.sync.client import ClientConnection, connect

sys.path.insert(0, str(Path(__file__).parents[1] / "include"))
from supervisor.airflow_api import AirflowApi
from supervisor.home import ADMIN, local

IMAGES = Path(__file__).parent / "images"
KOMMUNE = "haugesund"
DAG = f"kommune_{KOMMUNE}"
APPROVER = "anita"
PAGES = {"overview": "", "kommune": f"kommune/{KOMMUNE}", "plan": f"kommune/{KOMMUNE}/plan"}
WIDTH, HEIGHT = 1400, 860  # pixels
PATIENCE = 300.0
"""Seconds before giving up on a run's question, or on a page's content."""


def main() -> None:
    """Take the screenshots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8080, help="Airflow's port (default: 8080)")
    parser.add_argument("--chromium", default="chromium", help="the browser (default: chromium)")
    chosen = parser.parse_args()
    url = f"http://127.0.0.1:{chosen.port}"
    passwords = json.loads((local() / "airflow-passwords.json").read_text(encoding="utf-8"))
    run = waiting_run(AirflowApi(url, ADMIN, passwords[ADMIN]))
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as profile, Browser(chosen.chromium, Path(profile)) as browser:
        browser.open(f"{url}/auth/login/", "document.querySelector('input[name=username]')")
        browser.do(
            f"document.querySelector('input[name=username]').value = {json.dumps(APPROVER)};"
            f"document.querySelector('input[name=password]').value = {json.dumps(passwords[APPROVER])};"
            "document.querySelector('form[name=login]').submit()"
        )
        time.sleep(3)
        page = f"{url}/dags/{DAG}/runs/{quote(run, safe='')}"
        browser.open(f"{page}/tasks/approve/required_actions", "document.body.innerText.includes('Dette vil endres')")
        browser.photograph(IMAGES / "approval.png")
        browser.do(f"localStorage.setItem('direction-{DAG}', JSON.stringify('DOWN'))")
        browser.open(page, "document.querySelector('button[aria-label*=Graph]')")
        browser.do("document.querySelector('button[aria-label*=Graph]').click()")
        wait_for(lambda: browser.do("document.querySelectorAll('.react-flow__node').length > 10"))
        browser.size()
        time.sleep(2)
        browser.do("document.querySelector('.react-flow__controls-fitview').click()")
        browser.photograph(IMAGES / "dag.png")
        for name, path in PAGES.items():
            browser.open(f"{url}/dataflyt/{path}", "document.querySelector('main')")
            browser.photograph(IMAGES / f"{name}.png")
        approver = AirflowApi(url, APPROVER, passwords[APPROVER])
        approver.answer(DAG, run, "approve", "Approve")
        wait_for(lambda: run not in approver.active_runs(DAG))
        browser.open(f"{url}/dataflyt/runs", "document.querySelector('main details')")
        browser.do("document.querySelector('main details').open = true")
        browser.photograph(IMAGES / "runs.png")


def waiting_run(airflow: AirflowApi) -> str:
    """Return the run that waits for an answer; start one when none runs."""
    runs = airflow.active_runs(DAG)
    run = runs[0] if runs else airflow.trigger(DAG, "Startet for skjermbildene")

    def asks() -> bool:
        if run not in airflow.active_runs(DAG):
            sys.exit("The run ended without a question: begin `make up` with an empty folder in DATAFLYT_LOCAL.")
        return any(task["state"] == "awaiting_input" for task in airflow.tasks(DAG, run))

    wait_for(asks)
    return run


def wait_for(ready: Callable[[], Any]) -> None:
    """Wait until ``ready()``; raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError("what was waited for did not come")
        time.sleep(0.5)


class Browser:
    """A headless Chromium with one page. Used as a context manager."""

    def __init__(self, program: str, profile: Path) -> None:
        self.process = subprocess.Popen(  # noqa: S603
            [
                *(program, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--lang=nb"),
                *("--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        active = profile / "DevToolsActivePort"
        wait_for(lambda: active.exists() and active.read_text().count("\n"))
        port = active.read_text().split("\n")[0]
        pages = httpx.get(f"http://127.0.0.1:{port}/json", trust_env=False).json()
        address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
        self.socket: ClientConnection = connect(address, max_size=None, proxy=None, legacy=True)
        self.count = 0

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(Exception):
            self.call("Browser.close")
        self.process.wait(20)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a DevTools command, and return its result."""
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv(timeout=60))
            if message.get("id") == self.count:
                found: dict[str, Any] = message["result"]
                return found

    def do(self, script: str) -> Any:
        """Run a script in the page, and return its value."""
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def open(self, url: str, ready: str) -> None:
        """Open a page, and wait until the expression ``ready`` is true in it."""
        self.size()
        self.call("Page.navigate", url=url)
        wait_for(lambda: self.do(f"Boolean({ready})"))
        time.sleep(3)  # the page's animations end

    def size(self) -> None:
        """Set the page's size."""
        self.call("Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT, deviceScaleFactor=1, mobile=False)

    def photograph(self, file: Path) -> None:
        """Write the page as a PNG."""
        self.size()
        time.sleep(2)
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
        print(f"{file}: {file.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
