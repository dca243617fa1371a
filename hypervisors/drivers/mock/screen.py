"""A pretended screen: 80 columns of text, drawn with a font of 5 by 7 dots. Pure."""

from __future__ import annotations

import struct
import zlib
from typing import Final

COLUMNS, ROWS = 80, 25
#: Dots of one character, with the space around it.
CELL_WIDTH, CELL_HEIGHT = 6, 10
WIDTH, HEIGHT = COLUMNS * CELL_WIDTH, ROWS * CELL_HEIGHT
INK, PAPER = (0xD8, 0xDE, 0xE6), (0x10, 0x16, 0x1E)
#: The characters from space to tilde: five columns of dots each, the lowest bit on top.
FONT: Final = bytes.fromhex(
    "0000000000 00005F0000 0007000700 147F147F14 242A7F2A12 2313086462 3649552250 0005030000 001C224100 0041221C00"
    "082A1C2A08 08083E0808 0050300000 0808080808 0060600000 2010080402 3E5149453E 00427F4000 4261514946 2141454B31"
    "1814127F10 2745454539 3C4A494930 0171090503 3649494936 064949291E 0036360000 0056360000 0814224100 1414141414"
    "0041221408 0201510906 324979413E 7E1111117E 7F49494936 3E41414122 7F4141221C 7F49494941 7F09090901 3E4149497A"
    "7F0808087F 00417F4100 2040413F01 7F08142241 7F40404040 7F020C027F 7F0408107F 3E4141413E 7F09090906 3E4151215E"
    "7F09192946 4649494931 01017F0101 3F4040403F 1F2040201F 3F4038403F 6314081463 0708700807 6151494543 007F414100"
    "0204081020 0041417F00 0402010204 4040404040 0001020400 2054545478 7F48444438 3844444420 384444487F 3854545418"
    "087E090102 0C5252523E 7F08040478 00447D4000 2040443D00 7F10284400 00417F4000 7C04180478 7C08040478 3844444438"
    "7C14141408 081414187C 7C08040408 4854545420 043F444020 3C4040207C 1C2040201C 3C4030403C 4428102844 0C5050503C"
    "4464544C44 0008364100 00007F0000 0041360800 0804081008"
)
#: Drawn for whatever the font has not.
BOX: Final = bytes.fromhex("7F4141417F")


class Terminal:
    """What is on the screen after some text: lines wrap and scroll; of escapes it knows how to clear."""

    def __init__(self) -> None:
        self.lines = [""]

    def write(self, text: str) -> None:
        """Show more text."""
        for piece in text.replace("\x1b[H\x1b[2J", "\x0c"):
            self._put(piece)
        del self.lines[:-ROWS]

    def _put(self, letter: str) -> None:
        if letter == "\x0c":
            self.lines = [""]
        elif letter == "\n":
            self.lines.append("")
        elif letter == "\b":
            self.lines[-1] = self.lines[-1][:-1]
        elif letter.isprintable():
            if len(self.lines[-1]) >= COLUMNS:
                self.lines.append("")
            self.lines[-1] += letter

    def rows(self) -> list[str]:
        """All rows of the screen; the cursor is a box."""
        shown = [*self.lines[:-1], self.lines[-1][: COLUMNS - 1] + "\0"]
        return (shown + [""] * ROWS)[:ROWS]


def dots(row: str) -> list[list[bool]]:
    """One row of text as lines of dots."""
    glyphs = [_glyph(letter) for letter in row[:COLUMNS].ljust(COLUMNS)]
    lines = []
    for height in range(CELL_HEIGHT):
        bit = 1 << (height - 1) if 0 < height < 8 else 0
        lines.append([bool(column & bit) for glyph in glyphs for column in (*glyph, 0)])
    return lines


def _glyph(letter: str) -> bytes:
    place = ord(letter) - 32
    return FONT[5 * place : 5 * place + 5] if 0 <= place < len(FONT) // 5 else BOX


def png(rows: list[str]) -> bytes:
    """The screen as a picture of two colours."""
    lines = [line for row in rows for line in dots(row)]
    packed = b"".join(b"\0" + _packed(line) for line in lines)
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 1, 3, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"PLTE", bytes([*PAPER, *INK])), (b"IDAT", zlib.compress(packed)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _packed(line: list[bool]) -> bytes:
    return int("".join("1" if dot else "0" for dot in line), 2).to_bytes(WIDTH // 8, "big")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
