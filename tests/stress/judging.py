"""Whether bad input was met as promised: it is read right, or refused in one sentence."""

import contextlib
import math
import os
import random
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mmdet_mitosis.cli import one_line

SEED = int(os.environ.get("MITOSIS_STRESS_SEED", "20240817"))
REFUSALS = (ValueError, OSError, NotImplementedError)
"""What ``run_main`` turns into one sentence."""
MAX_SECONDS = 10
MAX_BYTES = 1 << 30
MAX_SENTENCE = 1000
MAX_SHOWN = 8
STATUS, PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs")
HAS_PROC = os.access(PEAK, os.W_OK)
"""Elsewhere than on Linux memory is not looked at."""


class HangError(BaseException):
    """A case that took too long; no reader catches it."""


def generator(name: str, case: int) -> random.Random:
    """Give the randomness of a case, which can then be repeated alone."""
    return random.Random(f"{SEED}|{name}|{case}")


class Judge:
    """Counts how cases of a reader end, and notes those that end as they must not.

    Args:
        reader: Its name.
        memory: Whether the memory of each case is looked at (0.2 ms).
    """

    def __init__(self, reader: str, memory: bool = False) -> None:
        self.reader, self.memory = reader, memory and HAS_PROC
        self.n = 0
        self.ends: Counter[str] = Counter()
        self.faults: dict[str, str] = {}

    def put(
        self,
        case: object,
        call: Callable[[], Any],
        named: str | Path = "",
        check: Callable[[Any], None] | None = None,
    ) -> None:
        """Run a case.

        Args:
            case: What repeats it, for the report.
            call: The reader, with its input.
            named: What the sentence of a refusal must name.
            check: Looks at what was read; raises AssertionError if it is not right.
        """
        self.n += 1
        start, before = time.perf_counter(), reset_peak() if self.memory else 0
        try:
            with limited():
                value = call()
            self.ends["read"] += 1
            if check is not None:
                check(value)
        except REFUSALS as error:
            self.ends[type(error).__name__] += 1
            self._judge_sentence(case, error, str(named))
        except AssertionError as error:
            self._fault(f"read, and not right {_origin(error)}", f"{case}: {str(error)[:300]}")
        except (Exception, HangError) as error:
            self._fault(f"{type(error).__name__} {_origin(error)}", f"{case}: {str(error)[:200]}")
        seconds = time.perf_counter() - start
        if seconds > MAX_SECONDS:
            self._fault("took too long", f"{case}: {seconds:.0f} s")
        if self.memory and (grown := peak() - before) > MAX_BYTES:
            self._fault("took too much memory", f"{case}: {grown / 1e9:.1f} GB")

    def finish(self) -> int:
        """Say how the cases ended.

        Returns:
            How many there were.

        Raises:
            AssertionError: If one ended as it must not.
        """
        ends = ", ".join(f"{n} {end}" for end, n in self.ends.most_common())
        print(f"\n{self.reader}: {self.n} cases: {ends}")
        shown = [f"{kind}, case {example}" for kind, example in [*self.faults.items()][:MAX_SHOWN]]
        print("\n".join(shown))
        assert not shown, f"{self.reader}: {len(self.faults)} kinds of fault"
        return self.n

    def _judge_sentence(self, case: object, error: BaseException, named: str) -> None:
        """See that a refusal is a sentence, that it names the file, and hides no lack of memory."""
        said = one_line(error)
        if named not in said:
            kind = f"{type(error).__name__} does not name the file {_origin(error)}"
            self._fault(kind, f"{case}: {said[:200]}")
        if len(said) > MAX_SENTENCE + len(named):
            self._fault(
                f"says too much {_origin(error)}", f"{case}: {len(said)} letters: {said[:200]}"
            )
        if chained(error, MemoryError) or "allocate" in said:
            self._fault(f"ran out of memory first {_origin(error)}", f"{case}: {said[:200]}")

    def _fault(self, kind: str, example: str) -> None:
        """Note a fault; of each kind the first one is told."""
        self.ends["FAULT"] += 1
        self.faults.setdefault(kind, example)


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Stop what takes longer than it may, and keep it quiet."""

    def stop(*_: object) -> None:
        raise HangError(f"more than {MAX_SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, MAX_SECONDS)
    try:
        with (
            Path(os.devnull).open("w") as nowhere,
            contextlib.redirect_stdout(nowhere),
            contextlib.redirect_stderr(nowhere),
        ):
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def little_memory(n_bytes: int = 4 << 30) -> Iterator[None]:
    """Let this process take only so much more address space than it has."""
    if not HAS_PROC:
        yield
        return
    lines = STATUS.read_text().splitlines()
    own = next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmSize"))
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (own + n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def reset_peak() -> int:
    """Begin a measurement of memory: bytes held now."""
    PEAK.write_text("5")
    return peak()


def peak() -> int:
    """Give the most memory held since the measurement began, bytes."""
    for line in STATUS.read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) << 10
    return 0


def chained(error: BaseException | None, kind: type[BaseException]) -> bool:
    """Tell whether an error, or one that led to it, is of a kind."""
    while error is not None:
        if isinstance(error, kind):
            return True
        error = error.__cause__ or error.__context__
    return False


def finite(*values: Any) -> bool:
    """Tell whether all of some nested numbers are real and finite."""
    return all(
        finite(*value)
        if isinstance(value, list | tuple | np.ndarray)
        else isinstance(value, int | float | np.number)
        and not isinstance(value, bool)
        and math.isfinite(value)
        for value in values
    )


def _origin(error: BaseException) -> str:
    """Give the innermost place of an error in this project."""
    found, trace = "", error.__traceback__
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename
        if "site-packages" not in path and "/lib/python" not in path:
            found = f"at {Path(path).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found
