"""Who people are, where the system knows no name too."""

import os
import subprocess
import sys

import pytest

from bench.machine.users import me, name_of, owner_of


def test_a_user_without_a_name_is_a_number(tmp_path):
    assert name_of(54321) == "54321" and name_of(os.geteuid()) == me() == owner_of(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="to be another user takes root")
def test_a_user_without_a_name_holds_a_lease(tmp_path):
    """As in many containers: nothing asks the system for a name that is not there."""
    tmp_path.chmod(0o777)
    os.chown(tmp_path, 54321, 54321)
    code = "import os; from pathlib import Path; from bench.machine.lease import claim; os.setuid(54321); "
    code += "print(claim(Path('.')).facts['user'])"
    bare = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=bare, capture_output=True, text=True)
    assert done.stdout.strip() == "54321", done.stderr
