"""How commands end."""

import logging

import pytest

from mmdet_mitosis.cli import run_main


def end(capsys: pytest.CaptureFixture, error: BaseException | None, status: int | None = None):
    """Run a command that raises or returns; give its status and what it said."""

    def main() -> int | None:
        if error:
            raise error
        return status

    with pytest.raises(SystemExit) as caught:
        run_main(main, "tool.py")
    return caught.value.code, capsys.readouterr().err


def test_status_is_what_the_command_returns(capsys) -> None:
    assert end(capsys, None) == (0, "")
    assert end(capsys, None, 3) == (3, "")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ValueError("no such\n  thing"), "no such thing"),
        (FileNotFoundError("no such folder: a"), "no such folder: a"),
        (PermissionError(13, "Permission denied", "/a/b"), "Permission denied: /a/b"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (ValueError(), "ValueError"),
        (MemoryError(), "not enough memory: MemoryError"),
        (RuntimeError("CUDA out of memory. 1\n2"), "not enough memory: CUDA out of memory. 1"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"),
            "not enough memory: DefaultCPUAllocator: can't allocate memory: 9 bytes",
        ),
    ],
)
def test_fault_of_the_user_is_one_sentence(capsys, error: Exception, sentence: str) -> None:
    assert end(capsys, error) == (2, f"tool.py: error: {sentence}\n")


def test_interrupt_is_status_130(capsys) -> None:
    assert end(capsys, KeyboardInterrupt()) == (130, "tool.py: interrupted\n")


def test_our_own_fault_keeps_its_traceback() -> None:
    def main() -> None:
        raise AssertionError("a bug")

    with pytest.raises(AssertionError, match="a bug"):
        run_main(main, "tool.py")


def test_traceback_is_shown_on_demand(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MITOSIS_TRACEBACK", "1")
    status, said = end(capsys, ValueError("no such thing"))
    assert status == 2
    assert said.startswith("Traceback")
    assert said.endswith("tool.py: error: no such thing\n")


def test_log_on_a_full_disk_is_told_of_once(capsys) -> None:
    class Full:
        def write(self, text: str) -> None:
            raise OSError(28, "No space left on device")

        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    def main() -> None:
        logger = logging.Logger("full")
        logger.addHandler(logging.StreamHandler(Full()))
        for number in range(3):
            logger.warning("line %d", number)

    assert end_of(main, capsys) == (0, "log is not complete: [Errno 28] No space left on device\n")


def end_of(main, capsys: pytest.CaptureFixture) -> tuple[int, str]:
    """Run a command; give its status and what it said."""
    with pytest.raises(SystemExit) as caught:
        run_main(main, "tool.py")
    return caught.value.code, capsys.readouterr().err
