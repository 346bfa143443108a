"""The ledger: what the launcher did, one JSON line an act, written before and after it.

Each launcher that acts writes a file of its own, `ledger/<n>.jsonl`, whose number is taken by
exclusive creation; nobody appends to another's file. A torn last line is the act that a killed
launcher did not finish writing, and is dropped. The lock puts the files of launchers in order. A user
speaks beside them: of what was said of a segment the latest holds, whichever file it is in. Who speaks
dates it after all that he reads there, so clocks may differ; only what is said at once is left to them.
"""

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from pathlib import Path
from typing import BinaryIO

import msgspec

from sweeps import durable
from sweeps.costs.cost import Hours
from sweeps.costs.rates import Rate
from sweeps.errors import DamagedFile


class Act(Enum):
    """What happened."""

    submitting = "submitting"
    submitted = "submitted"
    adopted = "adopted"
    refused = "refused"
    deferred = "deferred"
    unlisted = "unlisted"
    lost = "lost"
    left = "left"
    ended = "ended"
    cancelled = "cancelled"
    resumed = "resumed"
    delivered = "delivered"
    delivery_failed = "delivery_failed"


WORDS = {Act.cancelled, Act.resumed}
"""What the user says."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line. Which fields mean something depends on the act.

    `items`: keys, in order; `pack` of them share a job. `after`: the submission after whose end this
    one starts. `indices`: of the items that have left the queue; without them, all.
    Of each of those `outcomes`, `reasons`: of its last attempt, empty where none began; `hours`: what
    all its attempts were charged. `rates`: how fast segments were trained that were finished, by key.
    `attempts`: of each item that is resumed, the last one that was made.
    """

    time: float
    act: Act
    submission: str = ""
    sweep: str = ""
    where: str = ""
    job_id: str = ""
    items: tuple[str, ...] = ()
    checkpoints: tuple[tuple[str, ...], ...] = ()
    pack: int = 1
    after: str = ""
    outcomes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    indices: tuple[int, ...] = ()
    hours: tuple[Hours, ...] = ()
    rates: dict[str, Rate] = field(default_factory=dict)
    attempts: tuple[int, ...] = ()
    event_id: str = ""
    hook: str = ""
    detail: str = ""


class SubmissionState(Enum):
    """How far a submission came, as the ledger knows."""

    unresolved = "unresolved"
    submitted = "submitted"
    over = "over"


@dataclass(kw_only=True, slots=True)
class SubmissionRecord:
    """What the ledger knows of one submission.

    `checkpoints`: of each item that scores. `pack`: items in a row that share a job. `after`: the
    submission after whose end it starts. `unlisted_at`: when a good queue answer first lacked it.
    `outcomes`, `reasons`, `charged`: of items by index, once they have left the queue; how they ended
    and why, where that is known.
    """

    id: str
    sweep: str
    where: str
    items: tuple[str, ...]
    checkpoints: tuple[tuple[str, ...], ...]
    since: float
    pack: int = 1
    after: str = ""
    state: SubmissionState = SubmissionState.unresolved
    job_id: str = ""
    unlisted_at: float | None = None
    was_accepted: bool = False
    outcomes: dict[int, str] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    charged: dict[int, Hours] = field(default_factory=dict)

    def covers(self, index: int) -> tuple[str, ...]:
        """Return the segment that an item trains, or the checkpoints that it scores."""
        return self.checkpoints[index] if self.checkpoints else (self.items[index],)

    def task_of(self, index: int) -> int:
        """Return the array index of the job that carries an item."""
        return index // self.pack


@dataclass(frozen=True, slots=True)
class Resumed:
    """When the user last asked to try a segment again, and the last attempt made until then."""

    time: float = 0.0
    attempt: int = 0


NEVER = Resumed()


@dataclass(kw_only=True, slots=True)
class History:
    """The ledger, read.

    `submissions`: in order. `cancelled_at`: when the user last said that segments and checkpoints are
    not wanted. `resumed`: of each segment that the user asked to try again. `delivered`: what hooks
    said, the last one last. `failures`: what those said that failed since the last resume. `rates`: how
    fast segments were trained here, by key. `spoken_at`: when the user last said something.
    """

    submissions: dict[str, SubmissionRecord] = field(default_factory=dict)
    cancelled_at: dict[str, float] = field(default_factory=dict)
    resumed: dict[str, Resumed] = field(default_factory=dict)
    delivered: dict[tuple[str, str], str] = field(default_factory=dict)
    failures: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    rates: dict[str, Rate] = field(default_factory=dict)
    spoken_at: float = 0.0

    @property
    def cancelled(self) -> set[str]:
        """The segments and checkpoints that the user does not want."""
        return {key for key, at in self.cancelled_at.items() if not self.was_resumed(key, at)}

    def note(self, line: Line) -> None:
        """Take in one more line."""
        match line.act:
            case Act.submitting:
                self.submissions[line.submission] = SubmissionRecord(
                    id=line.submission,
                    sweep=line.sweep,
                    where=line.where,
                    items=line.items,
                    checkpoints=line.checkpoints,
                    since=line.time,
                    pack=line.pack,
                    after=line.after,
                )
            case Act.cancelled | Act.resumed:
                self._note_word(line)
            case Act.delivered:
                self.delivered.pop((line.event_id, line.hook), None)
                self.delivered[line.event_id, line.hook] = line.detail
            case Act.delivery_failed:
                self.failures.setdefault((line.event_id, line.hook), []).append(line.detail)
            case _:
                self._resolve(self.submissions[line.submission], line)

    def _resolve(self, record: SubmissionRecord, line: Line) -> None:
        match line.act:
            case Act.submitted | Act.adopted:
                record.state, record.job_id = SubmissionState.submitted, line.job_id
                record.was_accepted = True
            case Act.unlisted:
                record.unlisted_at = line.time
            case Act.left:
                self._note_ends(record, line)
            case _:
                record.state = SubmissionState.over
                self._note_ends(record, line)

    def _note_word(self, line: Line) -> None:
        """Take in what the user said; it may have been said before what is known already."""
        self.spoken_at = max(self.spoken_at, line.time)
        if line.act is Act.cancelled:
            for key in line.items:
                self.cancelled_at[key] = max(line.time, self.cancelled_at.get(key, line.time))
            return
        for key, attempt in zip(line.items, line.attempts, strict=True):
            if not self.was_resumed(key, line.time):
                self.resumed[key] = Resumed(line.time, attempt)
        self.failures.clear()

    def was_resumed(self, key: str, since: float) -> bool:
        """Return whether the user asked for a segment, or what belongs to it, after a moment."""
        return self.resumed.get(segment_of(key), NEVER).time > since

    def _note_ends(self, record: SubmissionRecord, line: Line) -> None:
        indices = line.indices or tuple(range(len(record.items)))
        record.charged.update(zip(indices, line.hours, strict=False))
        # What was told when a task left its array may be forgotten when the array is over.
        record.outcomes.update(_that_say(indices, line.outcomes))
        record.reasons.update(_that_say(indices, line.reasons))
        self.rates.update(line.rates)


class Ledger:
    """Reads all that was done, and appends what this launcher does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: BinaryIO | None = None
        self._own = 0
        self._read: dict[int, int] = {}
        self.history = History()
        self.refresh()

    def refresh(self) -> None:
        """Take in what others have written since: a user may cancel or resume beside a launcher."""
        newest = max(self._read, default=0)
        for number in _numbers(self._folder):
            if number >= newest and number != self._own:
                self._read[number] = _note_lines(
                    self.history, _path(self._folder, number), self._read.get(number, 0)
                )

    def append(self, line: Line) -> None:
        """Put a line on disk, and into the history, before returning.

        What the user says is dated after all that was said before and is known here.
        """
        if line.act in WORDS:
            line = replace(line, time=max(line.time, math.nextafter(self.history.spoken_at, math.inf)))
        if self._file is None:
            self._own, self._file = _new_file(self._folder)
        self._file.write(durable.encode(_without_empty(line)))
        self._file.flush()
        os.fsync(self._file.fileno())
        self.history.note(line)

    def close(self) -> None:
        """End this launcher's part."""
        if self._file is not None:
            self._file.close()


def segment_of(key: str) -> str:
    """Return the segment that a checkpoint belongs to; of a segment, itself."""
    return key.partition("@")[0]


def read_history(folder: Path) -> History:
    """Return what all launchers did.

    Raises:
        DamagedFile: a whole line is none of ours.
    """
    history = History()
    for number in _numbers(folder):
        _note_lines(history, _path(folder, number), 0)
    return history


def _note_lines(history: History, path: Path, start: int) -> int:
    """Take in the whole lines of a file from a position on; return the position behind them."""
    with path.open("rb") as file:
        file.seek(start)
        content = file.read()
    whole = content[: content.rfind(b"\n") + 1]
    for text in whole.splitlines():
        try:
            history.note(msgspec.json.decode(text, type=Line))
        except (msgspec.DecodeError, KeyError) as error:
            raise DamagedFile(f"{path}: {text[:80]!r}: {error}") from error
    return start + len(whole)


DEFAULTS = {field.name: field.default for field in fields(Line)}


def _without_empty(line: Line) -> dict[str, object]:
    values = ((field.name, getattr(line, field.name)) for field in fields(line))
    return {name: value for name, value in values if value and value != DEFAULTS[name]}


def _new_file(folder: Path) -> tuple[int, BinaryIO]:
    numbers = _numbers(folder)
    number = numbers[-1] + 1 if numbers else 1
    while not durable.publish(_path(folder, number), b""):
        number += 1
    return number, _path(folder, number).open("ab")


def _that_say(indices: Iterable[int], words: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield (index, word) where there is one."""
    return ((index, word) for index, word in zip(indices, words, strict=False) if word)


def _numbers(folder: Path) -> list[int]:
    names = os.listdir(folder) if folder.is_dir() else []
    return sorted(int(name[:-6]) for name in names if name.endswith(".jsonl") and name[:-6].isdigit())


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.jsonl"
