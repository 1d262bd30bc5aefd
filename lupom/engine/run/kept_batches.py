"""A result that comes in parts: in a file until it is committed, never in memory whole."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    import pyarrow as pa


class KeptBatches:
    """Record batches in a file without a name, which is gone when the process is.

    They are all there before a transaction begins: one that is done again reads them again, and
    nobody waits for a lake's lease while they are made.

    Parameters
    ----------
    batches : read to their end at once; what making them raises comes through.
    folder : where the file is, if it is there; else in the system's folder for such files, which
        may be memory.
    """

    def __init__(self, batches: pa.RecordBatchReader, folder: Path) -> None:
        import pyarrow as pa

        self.column_names = batches.schema.names
        where = folder if folder.is_dir() else None
        self._file = cast(IO[bytes], tempfile.TemporaryFile(dir=where))  # noqa: SIM115
        try:
            # Texts that repeat are most of it: 40 million persona values are a third in LZ4.
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            with pa.ipc.new_stream(self._file, batches.schema, options=options) as out:
                for batch in batches:
                    out.write_batch(batch)
        except BaseException:
            self._file.close()
            raise

    def reader(self) -> pa.RecordBatchReader:
        """Return the batches from the first on; one reader at a time."""
        import pyarrow as pa

        self._file.seek(0)
        return pa.ipc.open_stream(self._file)

    def close(self) -> None:
        """Delete the file."""
        self._file.close()
