"""Members of tar archives: headers as ustar, GNU and pax write them. No file is opened here."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

BLOCK = 512
"""Tar files consist of blocks of so many bytes."""

Fetch = Callable[[int, int], bytes]
"""Returns the bytes at an offset, by number; fewer or none behind the end."""

FILE, GNU_NAME, PAX, PAX_OF_ALL = (b"0", b"\0"), b"L", b"x", b"g"
MAGIC = b"ustar"


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a tar, by offsets: of its headers, its content, and what follows."""

    name: bytes
    first: int
    begin: int
    length: int
    end: int

    def split(self) -> tuple[bytes, str]:
        """Return (key, extension), as webdataset does: `a.b/01.Seg.png` → `a.b/01`, `seg.png`.

        The extension is empty where the file belongs to no sample.
        """
        folder, slash, file = self.name.rpartition(b"/")
        base, _, extension = file.partition(b".")
        return folder + slash + base, extension.decode(errors="replace").lower() if base else ""


def members(fetch: Fetch) -> Iterator[Member]:
    """Yield the files of a tar, up to its end mark or where nothing more can be fetched.

    Raises:
        ValueError: there is something else than a header where one has to be.
    """
    first = offset = 0
    said: dict[bytes, bytes] = {}
    while header := fetch(offset, BLOCK):
        if not header[0] and not header.strip(b"\0"):
            return
        if header[257:262] != MAGIC:
            raise ValueError(f"there is no tar header at byte {offset}")
        kind, begin = header[156:157], offset + BLOCK
        length = _number(header[124:136])
        if kind in (GNU_NAME, PAX):
            said.update(_said(kind, fetch(begin, length)))
            offset = _padded(begin + length)
            continue
        length = int(said.get(b"size", length))
        offset = _padded(begin + length)
        if kind in FILE:
            yield Member(said.get(b"path") or _name(header), first, begin, length, offset)
        if kind != PAX_OF_ALL:
            said = {}
        first = offset


def _padded(offset: int) -> int:
    return -(-offset // BLOCK) * BLOCK


def _number(field: bytes) -> int:
    """Return an octal number, or one of base 256, which the highest bit of the field announces."""
    if field[0] & 0x80:
        return int.from_bytes(field, "big") & ((1 << 8 * len(field) - 1) - 1)
    return int(field.rstrip(b" \0") or b"0", 8)


def _name(header: bytes) -> bytes:
    name = header[:100].partition(b"\0")[0]
    if header[345] and header[262] == 0:  # ustar's prefix; GNU's header has a blank and no prefix
        return header[345:500].partition(b"\0")[0] + b"/" + name
    return name


def _said(kind: bytes, content: bytes) -> dict[bytes, bytes]:
    """Return what a header says of the next one: GNU's long name, or pax records `12 path=name`."""
    if kind == GNU_NAME:
        return {b"path": content.rstrip(b"\0")}
    records = {}
    while content:
        number, _, rest = content.partition(b" ")
        length = int(number)
        name, _, value = rest[: length - len(number) - 2].partition(b"=")
        records[name] = value
        content = content[length:]
    return records
