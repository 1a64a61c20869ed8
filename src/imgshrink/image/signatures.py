"""Names for the bytes that are none of our four formats, as a person would call them."""

from __future__ import annotations

LFS_POINTER = "Git LFS pointer (run: git lfs pull)"

_FOREIGN = (
    (b"version https://git-lfs.github.com/spec/", LFS_POINTER),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\0\0\1\0", "ICO"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"8BPS", "Photoshop document"),
    (b"%PDF", "PDF"),
    (b"PK\3\4", "ZIP archive"),
)
_FTYP = ((b"avif", "AVIF"), (b"avis", "AVIF"), (b"hei", "HEIC"), (b"hev", "HEIC"), (b"mif1", "HEIF"), (b"", "video"))


def name(data: bytes, *, unknown: str = "not an image that imgshrink knows") -> str:
    """Say what the bytes are, by their first kilobyte; `unknown` where nobody can say."""
    if not data:
        return "empty file"
    if data[4:8] == b"ftyp":
        return next(words for brand, words in _FTYP if data[8:12].startswith(brand))
    for start, words in _FOREIGN:
        if data.startswith(start):
            return words
    text = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "HTML page"
    if text.startswith(b"<"):
        return "SVG" if b"<svg" in text else "XML"
    return unknown
