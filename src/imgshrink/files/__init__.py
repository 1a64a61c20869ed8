"""The file system's one door: finding images, and putting results in their place."""
