"""Reads a store by its format page alone, without the tool: manifests, plain, zstd, planes and delta blobs.

Only the entropy coder's loop is not Python: it is compiled from Sources/CCodecs with `cc` at the first use. Every blob is checked
against its digest. Needs numpy and zstandard.
"""
import ctypes
import hashlib
import json
import os
import struct
import subprocess
import tempfile

import numpy as np

MAGIC = bytes([0xF1]) + b"PBLOB\r\n"
WORDS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
WIDTH = {0: 1, 1: 2, 2: 4, 3: 8, 4: 2, 5: 2, 6: 4, 7: 8}
MANTISSA = {4: 10, 5: 7, 6: 23, 7: 52}
_library = None


def entropy_coder():
    global _library
    if _library is None:
        sources = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../Sources/CCodecs")
        target = os.path.join(tempfile.mkdtemp(), "codecs.so")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-I", f"{sources}/include", f"{sources}/entropy.c", "-o", target], check=True)
        _library = ctypes.CDLL(target)
        _library.cc_rans_decode.restype = ctypes.c_ssize_t
    return _library


def decode_entropy(body, count):
    low, high, place = body[0], body[1], 2
    slots, start = np.zeros(4096, np.uint32), 0
    for value in range(low, high + 1):
        frequency = body[place]
        place += 1
        if frequency >= 128:
            frequency = frequency & 127 | body[place] << 7
            place += 1
        slots[start:start + frequency] = value | frequency << 8 | (np.arange(frequency, dtype=np.uint32) << 20)
        start += frequency
    assert start == 4096
    states = np.frombuffer(body[place:place + 16], np.uint32).copy()
    words = np.frombuffer(body[place + 16:], np.uint8).copy()
    target = np.empty(count, np.uint8)

    def at(array):
        return array.ctypes.data_as(ctypes.c_void_p)
    taken = entropy_coder().cc_rans_decode(
        at(words), ctypes.c_size_t(len(words) // 2), at(states), at(slots), at(target), ctypes.c_size_t(count))
    assert taken == len(words) // 2 and (states == 65536).all(), "an entropy-coded plane that does not fit together"
    return target


def plane(data, place, count):
    """One plane of `count` bytes at `place`, and where the next thing stands."""
    import zstandard
    word, = struct.unpack_from("<I", data, place)
    mode, length = word >> 29, word & 0x1FFFFFFF
    body = data[place + 4:place + 4 + length]
    if mode == 0:
        result = np.frombuffer(body, np.uint8)
    elif mode == 1:
        result = np.full(count, body[0], np.uint8)
    elif mode == 2:
        result = np.frombuffer(zstandard.ZstdDecompressor().decompress(body, max_output_size=count), np.uint8)
    elif mode == 3:
        bits = np.unpackbits(np.frombuffer(body[1:], np.uint8), bitorder="little")[:count * body[0]].reshape(count, body[0])
        result = (bits << np.arange(8 - body[0], 8, dtype=np.uint8)).sum(axis=1, dtype=np.uint8)
    else:
        result = decode_entropy(body, count)
    assert len(result) == count
    return result, place + 4 + length


def planes(data, place, count, width):
    words = np.zeros(count, WORDS[width])
    for index in range(width):
        part, place = plane(data, place, count)
        words |= part.astype(WORDS[width]) << WORDS[width](8 * index)
    return words, place


def ordered(bits, width):
    top = WORDS[width](1 << 8 * width - 1)
    return np.where(bits & top, ~bits, bits | top)


def block(data, kind, segment, plain, base):
    """One block of codec 2, or 3 where there is a base: its `plain` bytes."""
    width = WIDTH[kind]
    word_type, bits = WORDS[width], 8 * width
    count = plain // width
    place, out = 0, np.zeros(count, word_type)
    if count and kind < 4:
        out, place = planes(data, place, count, width)
    elif count:
        classes, buckets, place = data[0], 1, 1
        if base is not None:
            buckets, top, factor = struct.unpack_from("<BHd", data, 1)
            place = 12
        segments = -(-count // segment)
        of_segment = np.zeros(segments, np.uint8)
        if classes > 1:
            of_segment, place = plane(data, place, segments)
        group = np.repeat(of_segment.astype(np.int64), segment)[:count] * buckets
        if base is not None:
            exponent = ((base << word_type(1)) >> word_type(MANTISSA[kind] + 1)).astype(np.int64)
            group += np.clip(top - exponent, 0, buckets - 1)
        for number in range(classes * buckets):
            where = np.flatnonzero(group == number)
            if not len(where):
                continue
            if base is not None:
                shift = data[place]
                words, place = planes(data, place + 1, len(where), width)
                out[where] = words >> word_type(shift)
            else:
                zeros, shift = data[place], data[place + 1]
                offset = word_type(int.from_bytes(data[place + 2:place + 2 + width], "little"))
                words, place = planes(data, place + 2 + width, len(where), width)
                words >>= word_type(shift)
                magnitude = ((words >> word_type(1)) + offset) << word_type(zeros)
                highest = word_type((1 << bits - 1) - 1)
                out[where] = (magnitude & highest) | (words << word_type(bits - 1))
        if base is not None:
            guess = base
            if factor != 1:
                scaled = (base.view(np.float32).astype(np.float64) * factor).astype(np.float32).view(np.uint32)
                guess = np.where((exponent >= 2) & (exponent <= 253), scaled, base)
            rank = ordered(guess, width) + ((out >> word_type(1)) ^ (word_type(0) - (out & word_type(1))))
            top_bit = word_type(1 << bits - 1)
            out = np.where(rank & top_bit, rank & ~top_bit, ~rank)
    tail = plain - count * width
    assert place + tail == len(data)
    return out.tobytes() + data[place:]


class StoreReader:
    def __init__(self, folder):
        self.folder = folder
        with open(f"{folder}/format") as file:
            assert file.read() == "pipeline-store 1\n"

    def path(self, area, digest):
        word = digest.removeprefix("sha256:")
        return f"{self.folder}/{area}/sha256/{word[:2]}/{word[2:]}"

    def _file(self, area, digest):
        with open(self.path(area, digest), "rb") as file:
            return file.read()

    def manifest(self, digest):
        data = self._file("artifacts", digest)
        assert "sha256:" + hashlib.sha256(data).hexdigest() == digest
        return json.loads(data)

    def reference(self, kind, name):
        with open(f"{self.folder}/refs/{kind}/{name}") as file:
            return json.load(file)["current"]["digest"]

    def blob(self, digest):
        import zstandard
        data = self._file("blobs", digest)
        if not data.startswith(MAGIC):
            plain = data
        else:
            codec, parameters, length = struct.unpack_from("<HIQ", data, 10)
            body, base = data[80:], data[32:64]
            if codec == 0:
                plain = body
            elif codec == 1:
                plain = zstandard.ZstdDecompressor().decompressobj().decompress(body)
            else:
                kind, segment = parameters & 255, parameters >> 8
                old = self.blob("sha256:" + base.hex()) if codec == 3 else None
                size = (1 << 20) // (segment * WIDTH[kind]) * segment * WIDTH[kind]
                parts, place = [], 0
                for start in range(0, length, size):
                    taken, = struct.unpack_from("<I", body, place)
                    count = min(size, length - start)
                    words = None if old is None else np.frombuffer(old[start:start + count // WIDTH[kind] * WIDTH[kind]], WORDS[WIDTH[kind]])
                    parts.append(block(body[place + 4:place + 4 + taken], kind, segment, count, words))
                    place += 4 + taken
                assert place == len(body)
                plain = b"".join(parts)
        assert "sha256:" + hashlib.sha256(plain).hexdigest() == digest, f"{digest} is damaged"
        return plain

    def tensors(self, digest):
        """All float32 ranges of an artifact by name."""
        blobs, found = {}, {}
        for entry in self.manifest(digest)["blobs"]:
            if entry.get("elementType") != "float32":
                continue
            if entry["digest"] not in blobs:
                blobs[entry["digest"]] = self.blob(entry["digest"])
            data = blobs[entry["digest"]][entry["offset"]:entry["offset"] + entry["byteCount"]]
            found[entry["name"]] = np.frombuffer(data, np.float32).reshape(entry["shape"])
        return found


if __name__ == "__main__":
    import sys
    reader = StoreReader(sys.argv[1])
    total = 0
    for area, folders, files in os.walk(f"{sys.argv[1]}/artifacts/sha256"):
        for name in files:
            for entry in reader.manifest("sha256:" + os.path.basename(area) + name)["blobs"]:
                reader.blob(entry["digest"])
                total += 1
    print(f"{total} ranges read, every blob has its digest")
