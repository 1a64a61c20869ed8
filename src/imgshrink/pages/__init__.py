"""Rewrites the pages of a built site: width, height and lazy loading of images, and modern variants beside them."""
