"""What every test starts from: one CPU thread, which is faster for small work and the same on every machine."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    torch.set_num_threads(1)
