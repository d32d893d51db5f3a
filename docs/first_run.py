"""Runs the README's commands in a terminal of 80 columns, from a fresh clone to the report, and keeps what it printed.

`make recording` writes docs/first-run.txt (the session) and docs/images/demo.svg (what `make demo` printed). It fails
if a command fails or the report is no page. Ports are free ones; in the recording they are the README's.
"""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
COLUMNS = 80


def main() -> None:
    from tests.support.pseudo_terminal import in_terminal

    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    beside = next(block for block in blocks if "report.html" in block)  # what the README has typed beside make local
    ports = {"4566": free(), "8000": free()}
    with tempfile.TemporaryDirectory() as scratch:
        clone = Path(scratch, "disaster-tweets")
        environment = {"AWS_PAGER": ""}
        session: list[str] = []

        def typed(command: str) -> str:
            """Run a command as it stands, with free ports: what a terminal then shows."""
            real = command
            for known, port in ports.items():
                real = real.replace(f":{known}", f":{port}")
            status, printed = in_terminal(
                ["bash", "-c", real], columns=COLUMNS, environment=environment, folder=clone, seconds=600
            )
            for known, port in ports.items():
                printed = printed.replace(f":{port}", f":{known}")
            left = settled(printed.replace(str(clone), "~/disaster-tweets"))
            print(left)
            session.append(f"$ {command}\n{Text.from_ansi(left).plain}")
            if status:
                raise SystemExit(f"{command} ended with {status}")
            return left

        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        session.append("$ git clone … disaster-tweets && cd disaster-tweets\n")
        demo = typed("make demo")
        command = ["make", "local", f"PORT={ports['4566']}", f"API_PORT={ports['8000']}"]
        with Path(scratch, "local.txt").open("wb") as log:
            local = subprocess.Popen(command, cwd=clone, stdout=log, stderr=log, start_new_session=True)
            try:
                while "Ctrl-C ends it" not in (welcome := Path(scratch, "local.txt").read_text()):
                    if local.poll() is not None:
                        raise SystemExit(welcome)
                    time.sleep(0.2)
                for known, port in ports.items():
                    welcome = welcome.replace(f":{port}", f":{known}")
                shown = Text.from_ansi(settled(welcome)).plain.replace(str(clone), "~/disaster-tweets")
                session.append(f"$ make local\n{shown}")
                for line in re.sub(r"\\\n\s*", "", beside).strip().splitlines():
                    typed(line)
            finally:
                os.killpg(local.pid, signal.SIGINT)
                local.wait(120)
        report = (clone / "report.html").read_text()
        if "<html" not in report:
            raise SystemExit("report.html is no page")
        title = re.search(r"<title>(.*?)</title>", report, re.DOTALL)
        session.append(f"$ head report.html    # {len(report):,} characters: {title[1].strip() if title else ''}\n")
    (ROOT / "docs" / "first-run.txt").write_text("\n".join(session))
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi("$ make demo\n" + demo), soft_wrap=True)
    console.save_svg(str(ROOT / "docs" / "images" / "demo.svg"), title="make demo")


def free() -> str:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def settled(printed: str) -> str:
    """Return what a terminal shows in the end: lines that were erased or written over are gone, colours stay."""
    lines = [""]
    for piece in re.split(r"(\n|\r|\x1b\[[0-9;?]*[A-Za-z])", printed):
        if piece == "\n":
            lines.append("")
        elif re.fullmatch(r"\x1b\[\d*A", piece):  # up
            for _ in range(int(piece[2:-1] or 1)):
                if len(lines) > 1:
                    lines.pop()
        elif piece in ("\x1b[2K", "\r"):  # what follows a carriage return takes the line's place
            lines[-1] = ""
        elif re.fullmatch(r"\x1b\[[0-9;]*m", piece) or not piece.startswith("\x1b["):
            lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines).strip("\n") + "\n"


if __name__ == "__main__":
    main()
