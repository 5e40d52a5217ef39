"""Write and read tables of breaths and summaries: Parquet, CSV, JSON lines.

A file takes its name only when it is complete. Rows are written in batches, so a day of breaths needs no more memory
than an hour. In CSV and Parquet the objects ``missing`` and ``quality`` are JSON text, ``flags`` and ``doubts`` are
words separated by spaces; ``read_table`` converts them back. Metadata of the whole table, above all its doubts, are
stored in a Parquet file under the key ``ventstream``, and beside other files in ``NAME-metadata.json`` (the name
that CSV on the Web of the W3C prescribes); ``read_about`` reads both.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from streamer.analysis.rows import Column, Row, breath_columns, summary_columns
from streamer.files.output import Output
from streamer.model.errors import ConfigError, DecodeError

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".parquet", ".csv", ".jsonl")
BATCH_ROWS = 2000
PLAIN = frozenset({"text", "number", "whole"})
ABOUT = "ventstream"
"""Key of a table's metadata in a Parquet file."""
BESIDE = "-metadata.json"
"""Suffix that the name of a CSV or JSON-lines table gets for the file with its metadata."""


class TableWriter(Protocol):
    """Where rows go."""

    def write(self, row: Row) -> None:
        """Add a row."""
        ...

    def describe(self, about: Mapping[str, Any]) -> None:
        """Set the metadata of the whole table; once, before it is closed."""
        ...

    def close(self) -> None:
        """Write the rows that are still buffered."""
        ...


@contextmanager
def open_table(out: str, columns: Sequence[Column]) -> Iterator[TableWriter]:
    """Open a table for writing. The file takes its name when the block ends without an error.

    Args:
        out: A path whose suffix chooses the format, or ``-`` for JSON lines on standard output.
        columns: As ``rows.breath_columns`` or ``rows.summary_columns`` returns them.

    Raises:
        ConfigError: The suffix names no format.
        OutputError: The file cannot be written; nothing is left behind.
    """
    kind = _WRITERS.get(".jsonl" if out == "-" else Path(out).suffix.lower())
    if kind is None:
        raise ConfigError(f"{out}: give the table a suffix: {', '.join(SUFFIXES)}, or '-' for standard output")
    with Output(out) as output:
        writer = kind(output, columns)
        yield writer
        writer.close()
        if isinstance(writer, _Text) and writer.about is not None and output.is_kept:
            with Output(f"{out}{BESIDE}") as beside:
                beside.write(msgspec.json.format(msgspec.json.encode(writer.about), indent=1) + b"\n")


class _Text:
    """A text file, whose metadata go into a file beside it."""

    about: Mapping[str, Any] | None = None

    def describe(self, about: Mapping[str, Any]) -> None:
        self.about = about


class _JsonLines(_Text):
    def __init__(self, output: Output, columns: Sequence[Column]) -> None:
        self._output = output
        self._names = [column.name for column in columns]
        self._encode = msgspec.json.Encoder().encode

    def write(self, row: Row) -> None:
        self._output.write(self._encode({name: row.get(name) for name in self._names}) + b"\n")

    def close(self) -> None:
        self._output.flush()


class _Csv(_Text):
    def __init__(self, output: Output, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._output = output
        self._csv = csv.writer(self._Encoded(output), lineterminator="\n")
        self._csv.writerow([column.name for column in columns])

    @dataclass
    class _Encoded:
        output: Output

        def write(self, text: str) -> None:
            self.output.write(text.encode())

    def write(self, row: Row) -> None:
        self._csv.writerow([_flat(row.get(column.name), column) for column in self._columns])

    def close(self) -> None:
        self._output.flush()


class _Parquet:
    def __init__(self, output: Output, columns: Sequence[Column]) -> None:
        import pyarrow as pa  # noqa: PLC0415 (slow to load, and only here)
        from pyarrow import parquet  # noqa: PLC0415

        self._columns, self._rows = columns, list[Row]()
        self._schema = _schema(columns)
        self._file = parquet.ParquetWriter(pa.PythonFile(output, mode="w"), self._schema, compression="zstd")

    def write(self, row: Row) -> None:
        self._rows.append(row)
        if len(self._rows) >= BATCH_ROWS:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa  # noqa: PLC0415

        arrays = [
            pa.array(_flat_column([row.get(column.name) for row in self._rows], column), field.type)
            for column, field in zip(self._columns, self._schema, strict=True)
        ]
        self._file.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._rows.clear()

    def describe(self, about: Mapping[str, Any]) -> None:
        self._file.add_key_value_metadata({ABOUT: msgspec.json.encode(about)})

    def close(self) -> None:
        self._flush()
        self._file.close()


_WRITERS: Mapping[str, Callable[[Output, Sequence[Column]], TableWriter]] = {
    ".jsonl": _JsonLines,
    ".csv": _Csv,
    ".parquet": _Parquet,
}


def _schema(columns: Sequence[Column]) -> Any:
    import pyarrow as pa  # noqa: PLC0415

    kinds = {"number": pa.float64(), "whole": pa.int64()}
    return pa.schema([(column.name, kinds.get(column.holds, pa.string())) for column in columns])


def _flat(found: Any, column: Column) -> Any:
    if found is None or column.holds in PLAIN:
        return found
    return " ".join(found) if column.holds == "words" else msgspec.json.encode(found).decode()


def read_table(path: Path) -> pd.DataFrame:
    """Read a table that ``analyze`` wrote; ``missing`` and ``quality`` as dicts, ``flags`` and ``doubts`` as lists.

    Raises:
        ConfigError: The suffix names no format.
        DecodeError: The file cannot be read as such a table.
    """
    import pandas as pd  # noqa: PLC0415 (half a second to load)

    readers: dict[str, Callable[[Path], pd.DataFrame]] = {
        ".parquet": pd.read_parquet,
        ".csv": _read_csv,
        ".jsonl": lambda path: pd.DataFrame([msgspec.json.decode(line) for line in path.read_bytes().splitlines()]),
    }
    if path.suffix.lower() not in readers:
        raise ConfigError(f"{path}: expected a table with the suffix {', '.join(SUFFIXES)}")
    try:
        table = readers[path.suffix.lower()](path)
    except (OSError, ValueError) as error:
        raise DecodeError(f"{path}: cannot be read as a table: {str(error).splitlines()[0]}") from None
    of_breaths = {"missing", "quality", "flags", "doubts"} if "missing" in table.columns else set()
    for name in of_breaths & set(table.columns):
        table[name] = pd.Series([_unflat(name, found) for found in table[name]], index=table.index, dtype=object)
    return table


def read_about(path: Path) -> dict[str, Any]:
    """Read the metadata of a table that ``analyze`` wrote: its recordings with their doubts; empty if there are none.

    Raises:
        DecodeError: The metadata cannot be read.
    """
    from pyarrow import parquet  # noqa: PLC0415

    try:
        if path.suffix.lower() == ".parquet":
            told = (parquet.read_metadata(path).metadata or {}).get(ABOUT.encode())
        else:
            beside = path.with_name(path.name + BESIDE)
            told = beside.read_bytes() if beside.is_file() else None
        return {} if told is None else msgspec.json.decode(told, type=dict[str, Any])
    except (OSError, ValueError) as error:
        raise DecodeError(f"{path}: its metadata cannot be read: {str(error).splitlines()[0]}") from None


def _flat_column(found: list[Any], column: Column) -> list[Any]:
    return found if column.holds in PLAIN else [_flat(one, column) for one in found]


def _read_csv(path: Path) -> pd.DataFrame:
    from pyarrow import csv as reader  # noqa: PLC0415 (reads decimals to the last bit, which pandas does not)

    types = {field.name: field.type for field in (*_schema(breath_columns()), *_schema(summary_columns()))}
    options = reader.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True)
    parse = reader.ParseOptions(newlines_in_values=True)
    return reader.read_csv(path, parse_options=parse, convert_options=options).to_pandas()  # type: ignore[no-any-return]


def _unflat(name: str, found: object) -> object:
    is_words = name in {"flags", "doubts"}
    if not isinstance(found, str):
        return found if isinstance(found, dict | list) else [] if is_words else {}
    return found.split() if is_words else msgspec.json.decode(found)
