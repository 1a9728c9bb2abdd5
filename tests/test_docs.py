"""The docs build without a warning, API pages from the docstrings included."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
ELSEWHERE = ("fonts.googleapis", "unpkg.com", "jsdelivr")


def test_docs_build_strictly(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    codec = (tmp_path / "site" / "api" / "codec" / "index.html").read_text()
    assert 'id="vqspeech.codec.Codec.encode_file"' in codec
    pages = [path.read_text() for path in (tmp_path / "site").rglob("*.html")]
    assert not [name for name in ELSEWHERE if any(name in page for page in pages)]
