"""A certificate of a server that tests start, signed by nobody but itself."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def self_signed(folder: Path, host: str) -> Path:
    """Return a file of a certificate for `host` and 127.0.0.1, and its key; `FILE.crt` holds the certificate alone.

    The test is skipped where there is no openssl.
    """
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    file = folder / f"{host}.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host},IP:127.0.0.1", "-keyout", str(file),
         "-out", f"{file}.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    file.write_bytes(file.read_bytes() + Path(f"{file}.crt").read_bytes())
    return file
