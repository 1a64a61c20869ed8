"""`imgshrink server`: the server's own group, with its data where the user's other state is."""

from __future__ import annotations

import os

from ..server.command import server_group
from ..settings.folders import state_folder

server = server_group(lambda: state_folder(os.environ) / "server")
