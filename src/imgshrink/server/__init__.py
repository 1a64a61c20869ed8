"""The TinyJPG API, self-hosted, over any engine. Needs the extra `server`: pip install "imgshrink[server]"."""
