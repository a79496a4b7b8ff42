"""Copies of one open file into another by the cheapest way the file systems allow."""

from __future__ import annotations

import errno
import fcntl
import os

from modelyard.adapters.blobs.digesting import PIECE, Follower, Progress

# linux/fs.h: _IOW(0x94, 9, int). Shares the blocks of two files until one is changed (btrfs, XFS, bcachefs).
_FICLONE = 0x40049409
_KERNEL_STEP = 8 * PIECE
_NOT_IN_KERNEL = frozenset(
    {errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM, errno.ETXTBSY}
)


def reflink(source: int, target: int) -> bool:
    """Make ``target`` share the blocks of ``source``; False where the file system cannot."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:  # A real fault of the disk shows again in the copy that follows.
        return False
    return True


def copy(source: int, target: int, size: int, progress: Progress | None = None) -> int:
    """Copy up to ``size`` bytes; returns how many there were (fewer when ``source`` is shorter)."""
    if reflink(source, target):
        return _cloned(target, progress)
    return _pump(source, target, size, None, progress)


def copy_and_digest(
    source: int, target: int, size: int, progress: Progress | None = None, *, durable: bool
) -> tuple[str, int]:
    """Copy up to ``size`` bytes and hash what arrived, on a second thread. ``target`` must be readable.

    With ``durable`` the target is synced while the last bytes are still being hashed: on a large file the two
    take about as long as each other, and the caller publishes nothing before both are done.

    Returns:
        The 64 hex digits of the bytes in ``target`` and their number.
    """
    with Follower(target) as follower:
        if reflink(source, target):
            count = _cloned(target, progress)
            follower.advance(count)
        else:
            count = _pump(source, target, size, follower, progress)
        if durable:
            os.fsync(target)
        return follower.finish(), count


def write_all(target: int, data: bytes | memoryview) -> None:
    """Write ``data`` whole: one call may write less than it was given."""
    view = memoryview(data).cast("B")
    while view:
        view = view[os.write(target, view) :]


def _cloned(target: int, progress: Progress | None) -> int:
    count = os.fstat(target).st_size
    if progress is not None:
        progress(count)
    return count


def _pump(source: int, target: int, size: int, follower: Follower | None, progress: Progress | None) -> int:
    done, in_kernel = 0, True
    while done < size:
        count = _in_kernel(source, target, size - done) if in_kernel else 0
        if count == 0:
            in_kernel = False
            count = _through_memory(source, target, size - done)
        if count == 0:
            break
        done += count
        if follower is not None:
            follower.advance(count)
        if progress is not None:
            progress(count)
    return done


def _in_kernel(source: int, target: int, size: int) -> int:
    """One step of ``copy_file_range(2)``; 0 where it cannot, so that the caller goes on through memory."""
    try:
        return os.copy_file_range(source, target, min(size, _KERNEL_STEP))
    except OSError as error:
        if error.errno in _NOT_IN_KERNEL:
            return 0
        raise


def _through_memory(source: int, target: int, size: int) -> int:
    data = os.read(source, min(size, PIECE))
    write_all(target, data)
    return len(data)
