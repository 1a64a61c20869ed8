"""Modern variants of published images, as pixels."""
