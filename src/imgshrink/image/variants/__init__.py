"""Modern variants of published images, as bytes."""
