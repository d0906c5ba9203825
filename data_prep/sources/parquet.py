"""Reading Parquet files, with what of pyarrow and pandas is installed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from data_prep.sources.delimited import listed
from data_prep.sources.text import check_file


def read_parquet(
    path: Path, required: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Read the rows of a Parquet file, as ``read_delimited`` reads those of a CSV file.

    Args:
        path: The file.
        required: Names of columns that must be there.
        optional: Names of columns that may be there.

    Yields:
        Number of the row, from 1, and the values of these columns as text, a missing one as ``""``.

    Raises:
        ValueError: If it cannot be read, lacks a column, or neither package is installed.
    """
    check_file(path, f"columns {', '.join(required)}")
    columns = _columns(path)
    missing = [name for name in required if name not in columns]
    if missing:
        raise ValueError(f"{path} has no column {missing[0]!r}: it has {listed(list(columns))}")
    names = [name for name in (*required, *optional) if name in columns]
    for number, values in enumerate(zip(*(columns[name] for name in names), strict=True), start=1):
        texts = ("" if value is None else str(value).strip() for value in values)
        yield number, dict(zip(names, texts, strict=True))


def _columns(path: Path) -> dict[str, list[Any]]:
    """Read all columns."""
    try:
        import pyarrow.parquet
    except ImportError:
        return _columns_by_pandas(path)
    try:
        return pyarrow.parquet.read_table(path).to_pydict()
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise ValueError(f"cannot read {path} as Parquet: {error}") from error


def _columns_by_pandas(path: Path) -> dict[str, list[Any]]:
    """Read all columns where pyarrow is not installed."""
    try:
        import pandas

        frame = pandas.read_parquet(path)
    except ImportError as error:
        raise ValueError(
            f"{path} is Parquet, which needs pyarrow: pip install 'mmdet-mitosis[table]', or save "
            "it as CSV"
        ) from error
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot read {path} as Parquet: {error}") from error
    return {str(name): frame[name].tolist() for name in frame.columns}
