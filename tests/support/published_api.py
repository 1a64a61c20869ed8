"""The replies that the API's public page shows, word for word."""

from __future__ import annotations

ORIGINAL = "https://www.tinyjpg.co/direct-file/original/sample_filename.jpg"
OPTIMIZED = "https://www.tinyjpg.co/direct-file/optimized/sample_filename.jpg"

PUBLISHED_UPLOAD = {
    "success": True,
    "message": "Image uploaded and queued for optimization",
    "data": {
        "image_id": 123,
        "original_url": ORIGINAL,
        "optimized_url": OPTIMIZED,
        "status": "processing",
        "original_size": 2048576,
        "estimated_optimized_size": 1024288,
    },
}
PUBLISHED_STATUS = {
    "success": True,
    "data": {
        "image_id": 123,
        "status": "completed",
        "original_size": 2048576,
        "optimized_size": 1024288,
        "compression_ratio": 50.0,
        "processing_time": 2.34,
        "original_url": ORIGINAL,
        "optimized_url": OPTIMIZED,
    },
}
PUBLISHED_ERROR = {
    "success": False,
    "message": "Validation failed",
    "errors": {
        "image": ["The image field is required."],
        "quality": ["The quality must be between 1 and 100."],
    },
}
