"""How the C library treats the large tensors that every training step frees and takes again."""

import ctypes
import platform

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # <malloc.h>
TOP_PAD = 256 * 2**20


def keep_freed_memory() -> None:
    """Have glibc keep freed memory for the next step rather than give it back to the system.

    By default each large tensor is a new mapping whose pages the kernel clears one by one; on a
    CPU that is a large part of a training step. Elsewhere than on glibc nothing is changed.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(M_TOP_PAD, TOP_PAD)
