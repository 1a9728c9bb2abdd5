import os

from vqspeech.demo import tidy
from vqspeech.demo.tidy import Folder


def test_old_files_go_and_kept_ones_stay(monkeypatch):
    with Folder(age=100, every=1000) as folder:
        (folder.path / "example").mkdir()
        kept = folder.path / "example" / "sound.wav"
        kept.write_bytes(b"sound")
        folder.keep()
        (folder.path / "visitor").mkdir()
        theirs = folder.path / "visitor" / "said.wav"
        theirs.write_bytes(b"said")
        folder.sweep()
        assert sorted(folder.files()) == sorted([kept, theirs])
        now = os.stat(theirs).st_ctime
        monkeypatch.setattr(tidy.time, "time", lambda: now + 101)
        folder.sweep()
        assert folder.files() == [kept]
        # Its folder changed when the file left it, and goes when that is long ago.
        monkeypatch.setattr(tidy.time, "time", lambda: now + 1000)
        folder.sweep()
        assert list(folder.path.iterdir()) == [kept.parent]
        place = folder.path
    assert not place.exists()
