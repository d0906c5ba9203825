"""Good input, spoilt at random: json, lines of numbers, bytes."""

import copy
import json
import random
from collections.abc import Callable
from typing import Any

NAN, INF = float("nan"), float("inf")
NUMBERS = (
    *(NAN, INF, -INF, 0, -0.0, -1, 1, 2, 0.5, -7.25, 1e-320, 1e308, -1e308, 1e18),
    *(2**31, 2**63, -(2**63) - 1, 10**400, -(10**400), 1e9, 65_536),
)
TEXTS = (
    "",
    " ",
    "1",
    "nan",
    "mitosis",
    "\ud800",
    "a\0b",
    "../../x",
    "/etc/x",
    "x" * 5000,
    "é\u0301",
)
OTHERS = (None, True, False, [], {}, [[]], [1], [1, 2], [1, 2, 3], {"x": 1}, [None], ["1", "2"])
CELLS = (
    *(
        "",
        " ",
        "nan",
        "inf",
        "-inf",
        "1e309",
        "-1",
        "-0",
        "1e5",
        "0x10",
        "1_0",
        "9" * 18,
        "9" * 400,
    ),
    *("\u0663", "1.5", ".", "+-1", '"', '"1', "1;2", "\0", "abc", "None", "3,4", "1\t2", "='x'"),
)


def weird(rng: random.Random) -> Any:
    """Give a value that is seldom right."""
    kind = rng.random()
    if kind < 0.55:
        return rng.choice(NUMBERS)
    if kind < 0.75:
        return rng.choice(TEXTS)
    if kind < 0.97:
        return copy.deepcopy(rng.choice(OTHERS))
    value: Any = 1
    for _ in range(rng.choice((5, 60, 400))):
        value = [value]
    return value


def places(value: Any) -> list[tuple[Any, Any]]:
    """List the places in a tree: each container with a key or an index of it."""
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    found = []
    for key in keys:
        found.append((value, key))
        if isinstance(value[key], dict | list):
            found += places(value[key])
    return found


def _replace(rng: random.Random, holder: Any, key: Any) -> None:
    holder[key] = weird(rng)


def _remove(rng: random.Random, holder: Any, key: Any) -> None:
    del holder[key]


def _repeat(rng: random.Random, holder: Any, key: Any) -> None:
    """Put an item there twice, so that ids repeat."""
    if isinstance(holder, list):
        holder.insert(rng.randrange(len(holder) + 1), copy.deepcopy(holder[key]))
    else:
        holder[rng.choice((*holder, "id", "window", "field"))] = copy.deepcopy(holder[key])


def _shift(rng: random.Random, holder: Any, key: Any) -> None:
    """Change a number to another one, or a list to another length."""
    value = holder[key]
    if isinstance(value, int | float) and not isinstance(value, bool):
        part = value / 7 if abs(value) < 1e300 else 0.5
        holder[key] = rng.choice((-value, value + 1, value * 1000, part, str(value), [value]))
    elif isinstance(value, list):
        holder[key] = value[: rng.randrange(len(value) + 1)]
    elif isinstance(value, str):
        holder[key] = rng.choice((value * 2, value[:-1], value.upper(), [value]))
    else:
        holder[key] = weird(rng)


TREE: tuple[Callable[[random.Random, Any, Any], None], ...] = (
    *(_replace, _replace, _replace, _remove, _remove, _repeat, _shift, _shift),
)


def spoil_tree(rng: random.Random, value: Any) -> Any:
    """Change a copy of what json holds in one to three places."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        found = places(value) if isinstance(value, dict | list) else []
        if not found or rng.random() < 0.005:
            return weird(rng)
        rng.choice(TREE)(rng, *rng.choice(found))
    return value


def spoil_text(rng: random.Random, text: str) -> bytes:
    """Change how json is written: nesting, repeated keys, encodings, bytes."""
    kind = rng.randrange(8)
    if kind == 0:
        depth = rng.choice((50, 3000, 100_000))
        place = rng.choice((text, "1"))
        return f"{'[' * depth}{place}{']' * depth}".encode(errors="surrogatepass")
    if kind == 1:
        key = rng.choice(("id", "images", "image_id", "bbox", "points", "score"))
        return text.replace("{", f'{{"{key}": 7, ', rng.choice((1, 3))).encode()
    if kind == 2:
        return text.encode(rng.choice(("utf-16", "utf-8-sig", "utf-16-le", "utf-32", "cp500")))
    if kind == 3:
        number = rng.choice(("9" * 5000, "1e999", "-", "0123", "Infinity", "NaN", "1" + "0" * 400))
        at = [i for i, letter in enumerate(text) if letter.isdigit()]
        i = rng.choice(at) if at else 0
        return (text[:i] + number + text[i + 1 :]).encode()
    return spoil_bytes(rng, text.encode())


def spoil_bytes(rng: random.Random, data: bytes) -> bytes:
    """Change bytes: cut off, cut out, flipped, doubled, zeroed, with others put in."""
    kind = rng.randrange(6)
    at = rng.randrange(len(data) + 1)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + data[at + rng.randrange(1, 40) :]
    if kind == 2:
        flipped = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 8)) if data else 0):
            flipped[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        return bytes(flipped)
    if kind == 3:
        return data[:at] + data[at : at + 60] * 2 + data[at + 60 :]
    if kind == 4:
        count = rng.choice((1, 4, 100))
        return data[:at] + rng.choice((b"\0", b"\xff")) * count + data[at + count :]
    return (
        data[:at]
        + rng.choice((b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b'"'))
        + data[at:]
    )


def spoil_json(rng: random.Random, value: Any) -> tuple[bytes, Any]:
    """Write json that is wrong somewhere.

    Returns:
        Its bytes, and what it holds; None where it was spoilt as text.
    """
    if rng.random() < 0.8:
        tree = spoil_tree(rng, value)
        return json.dumps(tree).encode(), tree
    return spoil_text(rng, json.dumps(value, ensure_ascii=rng.random() < 0.5)), None


def spoil_lines(rng: random.Random, text: str, delimiter: str = ",") -> bytes:
    """Change lines of values: a value, the number of values or of lines, or bytes."""
    lines = [line.split(delimiter) for line in text.splitlines()]
    for _ in range(rng.choice((1, 1, 2))):
        line = rng.choice(lines) if lines else []
        kind = rng.randrange(8)
        if kind < 3 and line:
            line[rng.randrange(len(line))] = rng.choice(CELLS)
        elif kind == 3 and line:
            del line[rng.randrange(len(line))]
        elif kind == 4:
            line.insert(rng.randrange(len(line) + 1), rng.choice(CELLS))
        elif kind == 5 and lines:
            lines.insert(rng.randrange(len(lines) + 1), list(line))
        elif kind == 6 and lines:
            lines.remove(line)
        else:
            break
    end = rng.choice(("\n", "\n", "\r\n", "\r", "\n\n", "\u2028"))
    data = end.join(rng.choice((delimiter,) * 9 + (";",)).join(line) for line in lines)
    data = (data + end).encode(rng.choice(("utf-8",) * 7 + ("utf-8-sig", "utf-16")))
    return data if rng.random() < 0.7 else spoil_bytes(rng, data)
