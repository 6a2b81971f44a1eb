"""Arrays in files where memory is too small for them, and two rows of one array as one."""

import numpy as np
import pytest

from bench.errors import UserError
from bench.machine import large_arrays
from bench.machine.large_arrays import empty, joined


def test_what_is_too_large_for_memory_lies_in_a_file_without_a_name(tmp_path, monkeypatch):
    assert not isinstance(empty((5, 3), tmp_path), np.memmap)
    monkeypatch.setattr(large_arrays, "total_memory", lambda: 8 * 4 * 15.0)
    assert not isinstance(empty((5, 3), tmp_path), np.memmap), "an eighth of memory is no more than an eighth"
    large = empty((6, 3), tmp_path)
    assert isinstance(large, np.memmap) and (large.shape, large.dtype) == ((6, 3), np.float32) and not list(tmp_path.iterdir())
    large[:] = np.arange(18).reshape(6, 3)
    assert large[4:].tolist() == [[12, 13, 14], [15, 16, 17]] and empty((0, 3), tmp_path).shape == (0, 3)


def test_where_a_disk_has_no_room_either(tmp_path, monkeypatch):
    monkeypatch.setattr(large_arrays, "total_memory", lambda: 1.0)
    said = rf"an array of \[1073741824, 1048576\] float32 takes 4.19e\+06 GiB, too much for memory, and {tmp_path} has .* GiB free"
    with pytest.raises(UserError, match=said):
        empty((2**30, 2**20), tmp_path)
    assert not list(tmp_path.iterdir())


def test_rows_that_follow_each_other_are_joined_without_a_copy():
    whole = np.arange(24, dtype=np.float32).reshape(8, 3)
    for first, second, copied in (
        (whole[1:4], whole[4:6], False),
        (whole[:3], whole[4:], True),
        (whole[4:], whole[:4], True),
        (whole[:2].copy(), whole[2:], True),
        (whole[:4, :2], whole[4:, :2], True),
        (whole[0:4:2], whole[4:], True),
    ):
        both = joined(first, second)
        assert np.array_equal(both, np.concatenate([first, second])) and np.shares_memory(both, whole) != copied
