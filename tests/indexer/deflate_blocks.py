"""A deflate decoder of fifty lines that tells where blocks begin: the reference that checkpoints are tested against.

Written from RFC 1951 alone; slow, and trusting. It shares no line with zlib, nor with what it tests.
"""

from __future__ import annotations

LENGTHS = [(3 + i, 0) for i in range(8)] + [(((4 + i % 4) << i // 4) + 3, i // 4) for i in range(4, 24)] + [(258, 0)]
DISTANCES = [(1 + i, 0) for i in range(4)] + [(((2 + i % 2) << i // 2) + 1, i // 2) for i in range(2, 28)]
ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)

Codes = dict[tuple[int, int], int]


def codes_of(lengths: list[int]) -> Codes:
    """Canonical Huffman codes: (length, code) -> symbol."""
    codes: Codes = {}
    code = 0
    for length in range(1, 16):
        for symbol, its_length in enumerate(lengths):
            if its_length == length:
                codes[length, code] = symbol
                code += 1
        code <<= 1
    return codes


class Deflate:
    """Decodes a whole raw deflate stream.

    Attributes:
        out: What it decodes to.
        blocks: Where each block begins: the bit in the stream, the byte in what was decoded.
    """

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        self.out = bytearray()
        self.blocks: list[tuple[int, int]] = []
        last = False
        while not last:
            self.blocks.append((self._at, len(self.out)))
            last = bool(self._bits(1))
            match self._bits(2):
                case 0:
                    self._stored()
                case 1:
                    fixed = [8] * 144 + [9] * 112 + [7] * 24 + [8] * 8
                    self._coded(codes_of(fixed), codes_of([5] * 30))
                case _:
                    self._coded(*self._told())

    def _bits(self, count: int) -> int:
        value = 0
        for place in range(count):
            value |= (self._data[self._at >> 3] >> (self._at & 7) & 1) << place
            self._at += 1
        return value

    def _symbol(self, codes: Codes) -> int:
        length = code = 0
        while (length, code) not in codes:
            code = code << 1 | self._bits(1)
            length += 1
        return codes[length, code]

    def _stored(self) -> None:
        self._at = -(-self._at // 8) * 8
        length = self._bits(16)
        self._bits(16)
        start = self._at // 8
        self.out += self._data[start : start + length]
        self._at += 8 * length

    def _told(self) -> tuple[Codes, Codes]:
        literals, distances, count = 257 + self._bits(5), 1 + self._bits(5), 4 + self._bits(4)
        lengths = [0] * 19
        for symbol in ORDER[:count]:
            lengths[symbol] = self._bits(3)
        codes = codes_of(lengths)
        told: list[int] = []
        while len(told) < literals + distances:
            symbol = self._symbol(codes)
            if symbol < 16:
                told.append(symbol)
            elif symbol == 16:
                told += [told[-1]] * (3 + self._bits(2))
            else:
                told += [0] * (3 + self._bits(3) if symbol == 17 else 11 + self._bits(7))
        return codes_of(told[:literals]), codes_of(told[literals:])

    def _coded(self, literals: Codes, distances: Codes) -> None:
        while (symbol := self._symbol(literals)) != 256:
            if symbol < 256:
                self.out.append(symbol)
                continue
            base, extra = LENGTHS[symbol - 257]
            length = base + self._bits(extra)
            base, extra = DISTANCES[self._symbol(distances)]
            distance = base + self._bits(extra)
            for _ in range(length):
                self.out.append(self.out[-distance])
