"""A zip archive of any number of files in a memory that does not grow with it.

`zipfile` holds half a kilobyte for each file until the list of all files is written at
the end of an archive; here that list grows in a file of its own.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import Self

from napari_sam2.errors import OutputError

DEFLATED = 8
VERSION, VERSION_ZIP64 = 20, 45
UTF8_NAMES = 1 << 11
FIRST_DAY = (1 << 5) | 1
"""1980-01-01, the first day of the format: equal files make equal archives."""
FULL16, FULL32 = 0xFFFF, 0xFFFFFFFF
"""In place of numbers that only the wider records of zip64 hold."""
FILE, LISTED, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
END64, END64_PLACE = b"PK\x06\x06", b"PK\x06\x07"


class ZipArchive:
    """A zip archive that is written from its first file to its last.

    Parameters
    ----------
    path
        Where; a file there is replaced.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._list = tempfile.TemporaryFile()  # noqa: SIM115
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._file, self._list:
            if error is None:
                self._finish()

    def add(self, name: str, content: bytes) -> None:
        """Write a file, deflated.

        Raises
        ------
        OutputError
            If it has 4 GiB or more.
        """
        if len(content) >= FULL32:
            raise OutputError(f"{name}: a file of an archive holds less than 4 GiB")
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        packed = packer.compress(content) + packer.flush()
        encoded = name.encode()
        offset = self._file.tell()
        far = offset >= FULL32
        version = VERSION_ZIP64 if far else VERSION
        facts = struct.pack(
            "<5H3LH",
            *(version, UTF8_NAMES, DEFLATED, 0, FIRST_DAY),
            *(zlib.crc32(content), len(packed), len(content), len(encoded)),
        )
        self._file.write(FILE + facts + struct.pack("<H", 0) + encoded + packed)
        extra = struct.pack("<HHQ", 1, 8, offset) if far else b""
        place = struct.pack("<4HLL", len(extra), 0, 0, 0, 0, min(offset, FULL32))
        made_by = struct.pack("<H", version)
        self._list.write(LISTED + made_by + facts + place + encoded + extra)
        self._count += 1

    def _finish(self) -> None:
        """Write the list of files, and where it begins."""
        begin, size, count = self._file.tell(), self._list.tell(), self._count
        self._list.seek(0)
        shutil.copyfileobj(self._list, self._file)
        if count >= FULL16 or max(begin, size) >= FULL32:
            versions = (VERSION_ZIP64, VERSION_ZIP64)
            numbers = (count, count, size, begin)
            wide = struct.pack("<Q2H2L4Q", 44, *versions, 0, 0, *numbers)
            place = struct.pack("<LQL", 0, begin + size, 1)
            self._file.write(END64 + wide + END64_PLACE + place)
        number = min(count, FULL16)
        where = min(size, FULL32), min(begin, FULL32)
        self._file.write(END + struct.pack("<4H2LH", 0, 0, number, number, *where, 0))
