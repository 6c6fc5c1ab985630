"""Files that are not on this machine: gs:// addresses, through Beam's file systems."""

import os

from pipelines.problems import UserError

_EMULATOR = "STORAGE_EMULATOR_HOST"  # the client library's own
_REMOTE = "gs://"


def is_remote(path: str) -> bool:
    """Whether a path is an address. Raises UserError for one of a kind that is not read."""
    if "://" in path and not path.startswith(_REMOTE):
        raise UserError(f"{path}: files are local paths, or begin with {_REMOTE}")
    return path.startswith(_REMOTE)


def read_remote(path: str) -> bytes:
    """What a file holds. Raises UserError where it is not there or cannot be read."""
    # Beam takes a second to import, and local files do without
    from apache_beam.io.filesystem import CompressionTypes  # noqa: PLC0415
    from apache_beam.io.filesystems import FileSystems  # noqa: PLC0415
    from google.api_core.exceptions import GoogleAPICallError, NotFound  # noqa: PLC0415

    ask_no_credentials()
    try:
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            return bytes(file.read())
    except NotFound:
        raise UserError(f"{path}: no such file or bucket") from None
    except GoogleAPICallError as error:
        raise UserError(f"{path}: cannot be read: {error.message}") from None
    except Exception as error:  # clients fail in kinds of their own
        raise UserError(f"{path}: cannot be read: {error}") from error


def ask_no_credentials() -> None:
    """Keeps Beam from looking for credentials, which takes it 20 s, where an emulator is named."""
    if not os.environ.get(_EMULATOR):
        return
    from apache_beam.internal.gcp.auth import _Credentials  # noqa: PLC0415 - no other way

    _Credentials._credentials_init = True  # noqa: SLF001 - it has none, and looks no further
