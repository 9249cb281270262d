"""``download``: where a set ends up."""

from __future__ import annotations

from pathlib import Path

from dncnn_lib import datasets


def test_download_says_where_a_set_is(call, monkeypatch):
    fetched = []
    monkeypatch.setattr(
        datasets,
        "dataset_paths",
        lambda name, progress: fetched.append(name) or [Path("cache", name, "a.png")] * 2,
    )
    code, out, err = call("download", "Set12", "Set5")
    assert (code, err, fetched) == (0, [], ["Set12", "Set5"])
    assert out.splitlines() == [f"{n}: 2 images, complete, in {Path('cache', n)}" for n in fetched]
    code, out, err = call("download", "BSD68", "Set13")
    assert (code, out, fetched) == (1, "", ["Set12", "Set5"])
    assert err[0].startswith("error: name is 'Set13', but must be one of 'Train400', 'Set12'")
