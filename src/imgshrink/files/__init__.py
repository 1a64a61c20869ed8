"""Everything that touches the file system: finding, reading and replacing images, backups, git."""
