"""Read Bluesky's Jetstream in a process that stays up, like the function `collect`, with the cursor in a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from chalicelib.sources import collect, jetstream
from chalicelib.sources.cursor import Cursor
from sources.connection import FatalError, Item, Rubbish


@dataclass
class Stream:
    """One server's events from the cursor on that `state` keeps; `clock` in seconds since the epoch."""

    server: str
    state: Path
    clock: Callable[[], float]
    say: Callable[[str], object]
    _told: int = field(default=0, init=False)  # microseconds: as far as this process was told

    def connect(self) -> Iterator[Item]:
        """Yield what one connection says. Raises SourceError, FatalError."""
        known = self._read()
        since = max(self._told, collect.start(known, self.server, int(self.clock() * 1e6)))
        first = True
        for event in jetstream.events(self.server, since):
            if event is None:
                yield Item(None)
                continue
            if first and (seconds := collect.gap(known, event.time_us)):
                self.say(f"Posts of {seconds:,.0f} seconds are missing: the server keeps none so old")
            first = False
            self._told = max(self._told, event.time_us)
            yield Item(event.post or event.deletion or (Rubbish("") if event.rubbish else None), event.time_us)

    def keep(self, position: int) -> None:
        """Note that all up to this time is safe."""
        new = self.state.with_name(f"{self.state.name}.new")
        new.write_text(json.dumps(Cursor(self.server, position)._asdict()))
        new.replace(self.state)

    def _read(self) -> Cursor:
        try:
            said = json.loads(self.state.read_text())
            return Cursor(str(said["server"]), int(said["time_us"]))
        except FileNotFoundError:
            return Cursor()
        except (ValueError, KeyError, TypeError) as error:
            raise FatalError(f"{self.state} is damaged; delete it to begin with the present") from error
