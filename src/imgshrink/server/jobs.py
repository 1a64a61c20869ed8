"""Jobs: one image each, as accepted and as stored."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import RowMapping

from ..core.model import Format


@dataclass(frozen=True)
class NewJob:
    """An image when it is accepted; `idempotency` is the client's `Idempotency-Key`."""

    format: Format
    quality: int
    size: int
    body_digest: str
    original_name: str
    optimized_name: str
    idempotency: str | None = None


@dataclass(frozen=True)
class Job:
    """One image. `state` is `queued`, `leased`, `completed` or `failed`; `expires` is None until it has ended."""

    id: int
    format: Format
    quality: int
    original_name: str
    optimized_name: str
    original_size: int
    optimized_size: int
    state: str
    tries: int
    token: int
    seconds: float
    expires: float | None
    message: str
    result_name: str | None = None
    """The name under which its result is stored, once there is one."""
    apart: bool = False
    """Whether it is neither looked up in the shared cache nor added to it."""

    @property
    def ended(self) -> bool:
        """Whether it is completed or failed, which are final."""
        return self.state in ("completed", "failed")


def read_job(row: RowMapping) -> Job:
    """Return the job in a row of the table `jobs`."""
    return Job(
        id=row["id"],
        format=Format(row["format"]),
        quality=row["quality"],
        original_name=row["original_name"],
        optimized_name=row["optimized_name"],
        original_size=row["original_size"],
        optimized_size=row["optimized_size"],
        state=row["state"],
        tries=row["tries"],
        token=row["token"],
        seconds=row["seconds"],
        expires=row["expires"],
        message=row["message"],
        result_name=row["result_name"],
        apart=row["apart"],
    )
