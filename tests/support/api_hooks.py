"""What schemathesis needs to know beyond the OpenAPI document: images, names that are there, what no schema can say."""

from __future__ import annotations

import os
import random
import secrets
from typing import Any

import schemathesis
from hypothesis import strategies as st

from places import IMAGES

KINDS = {"image/jpeg": "*.jpg", "image/png": "*.png", "image/gif": "*.gif", "image/webp": "*.webp"}

for kind, pattern in KINDS.items():
    images = [path.read_bytes() for path in sorted(IMAGES.glob(pattern))]
    schemathesis.openapi.media_type(kind, st.sampled_from(images))


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Name now and then an image or a file that is there."""
    if path_parameters and random.random() < 0.5:
        if "image_id" in path_parameters:
            path_parameters["image_id"] = os.environ["KNOWN_IMAGE_ID"]
        elif "original" in context.operation.path:
            path_parameters["name"] = os.environ["KNOWN_ORIGINAL"]
        else:
            path_parameters["name"] = os.environ["KNOWN_OPTIMIZED"]
    return path_parameters


@schemathesis.hook
def map_headers(context: Any, headers: dict[str, Any] | None) -> dict[str, Any] | None:
    """Never send the same Idempotency-Key twice: another body under it is a mistake that no schema can say."""
    for name, value in (headers or {}).items():
        if name.lower() == "idempotency-key" and isinstance(value, str) and 0 < len(value) < 200:
            headers[name] = value + secrets.token_hex(8)
    return headers
