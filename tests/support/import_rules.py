"""Which package may import which, and which third-party packages each may use: the tables behind `test_layers`."""

from __future__ import annotations

# package -> what of imgshrink it may import; from the bottom to the top
INSIDE = {
    "core": (),
    "image": ("core",),
    "workers": ("core",),
    "settings": ("core",),
    "pixels": ("core", "image"),
    "files": ("core", "image"),
    "cache": ("core", "files.locks"),
    "engines": ("core",),
    "engines.builtin": ("core", "image", "pixels", "engines"),
    "engines.hosted": ("core", "image", "files.locks", "engines"),
    "report": ("core", "image", "settings", "files.atomic", "workers"),
    "pipeline": ("core", "image", "files", "cache", "engines"),
    "pages": ("core", "image", "settings", "files"),
    "server": ("core", "image", "engines", ""),
    "worker_tasks": ("core", "image", "workers", "pixels", "engines.builtin"),
    "selection": ("core", "settings", "files"),
    "shared_tier": ("core", "image", "settings", "cache"),
    "variants": ("core", "files", "pipeline", "engines.builtin", "report", "worker_tasks", "session"),
    "session": (
        *("core", "image", "workers", "settings", "pixels", "files", "cache", "engines", "engines.builtin"),
        *("engines.hosted", "report", "pipeline", "worker_tasks", "selection", "variants", "shared_tier"),
    ),
    "hook": ("core", "image", "settings", "files", "report", "pipeline", "session"),
    "mkdocs_plugin": ("core", "image", "settings", "files", "report", "pipeline", "pages", "session"),
    "cli": ("core", "image", "settings", "files", "report", "pipeline", "pages", "session", "cli", ""),
    "__main__": ("cli",),
    "": ("core", "image", "settings", "pixels", "worker_tasks", "session"),
}
"""`""` is the package itself, which holds the version and the lazy public API."""

# Where only the Protocols in a package's `__init__` may be imported, not the modules that implement them.
PROTOCOLS_ONLY = {("pipeline", "cache"), ("pipeline", "engines"), ("server", "engines")}

# module -> what it may import beyond its package
BEYOND = {
    "cli.server": (  # composes the server
        *("server", "workers", "engines.builtin", "worker_tasks", "cache.opening", "shared_tier"),
    ),
    "server.shared_results": ("cache",),  # looks up and adds one image at a time
    "cli.usage": ("engines.hosted.quota",),  # reads the quota
    "cli.cache": ("cache", "shared_tier"),  # makes keys, and writes to the shared cache
    "cli.doctor.shared": ("cache", "shared_tier"),  # looks at the shared cache
    "cli.explain": ("variants",),  # what is known of one
    "engines.hosted.http": ("",),  # the version, for the User-Agent
}

# package or module -> third-party packages
THIRD_PARTY = {
    "pixels": {"pyvips"},
    "pixels.slight": {"PIL"},
    "engines.builtin": {"pyvips", "oxipng", "mozjpeg_lossless_optimization", "PIL"},
    "engines.hosted.sockets": {"httpx", "httpx2", "httpcore", "httpcore2"},
    "cache": {"diskcache"},
    "cache.shelf": {"obstore"},
    "cache.signature": {"cryptography"},
    "files.locks": {"filelock"},
    "files.patterns": {"pathspec"},
    "settings": {"platformdirs"},
    "pages": {"selectolax"},
    "server": {"starlette", "uvicorn", "h11", "python_multipart", "filelock", "sqlalchemy"},
    "server.buckets": {"obstore"},
    "server.pgdriver": {"pgqueuer", "psycopg", "sqlalchemy"},
    "server.pgqueue": {"pgqueuer", "psycopg", "sqlalchemy"},
    "cli": {"click", "mkdocs"},
    "cli.site_file": {"yaml", "yaml_env_tag"},
    "cli.exclude": {"tomlkit"},
    "mkdocs_plugin": {"mkdocs", "jinja2"},
}

# Packages without I/O import only this part of the standard library; paths appear there as types alone.
WITHOUT_IO = ("core", "image")
STANDARD_LIBRARY_WITHOUT_IO = set(
    "__future__ collections contextlib dataclasses enum struct zlib hashlib re typing json unicodedata math "
    "itertools functools types bisect string datetime base64 binascii operator html urllib".split()
)

# Covered wholly by the plain tests, branches counted.
WHOLLY_COVERED = (
    "core",
    "image",
    "pipeline",
    "pixels.color",
    "pixels.tolerance",
    "pixels.difference",
    "pixels.interpretations",
)
