"""What lies in a run's folder keeps its names: runs go on, and are looked after, from folders that earlier versions wrote."""

from bench.run.folder import RunFolder, begun, done_with, run_folder


def test_names_are_what_they_were(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "12")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    folder = run_folder(tmp_path, "0123456789abcdef")
    assert folder == RunFolder(tmp_path / "0123456789abcdef")
    log = folder.log(1)
    paths = [folder.heartbeat, folder.weights, folder.given_back, folder.meeting, folder.over, log, done_with(log)]
    names = ["heartbeat.json", "weights.safetensors", "given-back.json", "meeting-12_3-1.json", "over-12_3-1.json"]
    assert paths == [folder.path / name for name in [*names, "rank-1.log", "rank-1.done"]]


def test_what_has_begun_and_what_was_written_is_found(tmp_path):
    folder = run_folder(tmp_path, "begun")
    assert folder.logs() == [] and begun(tmp_path) == set()
    folder.path.mkdir()
    (tmp_path / "planned").mkdir()
    for path in (folder.heartbeat, folder.log(2), folder.log(1), done_with(folder.log(1))):
        path.touch()
    assert folder.logs() == [folder.log(1), folder.log(2)] and begun(tmp_path) == {"begun"}
