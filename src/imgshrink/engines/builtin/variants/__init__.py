"""Modern variants of published images: lossless WebP of the very pixels, or AVIF and WebP that meet the target."""
