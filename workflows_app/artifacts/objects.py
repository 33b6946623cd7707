"""Artifacts in an S3-compatible store: an object for each content, under the instance's UUID and the SHA-256.

Needs the package ``boto3`` (``requirements-s3.txt``), which is imported only where the setting names a bucket. Keys are
looked for where boto3 always does: ``AWS_ACCESS_KEY_ID`` and ``AWS_SECRET_ACCESS_KEY``, files, the machine's role.
"""

from __future__ import annotations

import base64
import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from workflows_app.artifacts import references
from workflows_app.artifacts.refusals import missing, refusal
from workflows_app.artifacts.staging import Staged

SCHEME = "s3"
CONNECT_SECONDS = 5
READ_SECONDS = 30
_ABSENT = frozenset({"NoSuchKey", "404", "NotFound"})


class Objects:
    """Keeps artifacts in one bucket.

    Args:
        address: ``s3://bucket`` or ``s3://bucket/prefix``.
        endpoint: address of the store, ``None`` for Amazon's.
        staging: folder on this machine in which content is written, and hashed, first.
        named: what a refusal calls the address.

    Raises:
        ActivityError: ARTIFACTS_NOT_ALLOWED if boto3 is not installed, or the address names no bucket.
    """

    def __init__(
        self, address: str, *, endpoint: str | None, staging: Path, named: str = "ORCHESTRATOR_ARTIFACTS"
    ) -> None:
        parts = urlsplit(address)
        if parts.scheme != SCHEME or not parts.netloc or parts.query or parts.fragment or "@" in parts.netloc:
            raise refusal("ARTIFACTS_NOT_ALLOWED", f"{named} is not s3://bucket or s3://bucket/prefix.")
        self._bucket = parts.netloc
        self._prefix = f"{parts.path.strip('/')}/" if parts.path.strip("/") else ""
        self._endpoint = endpoint
        self.staging = staging
        self._client = client(endpoint, os.getpid())

    def place(self, instance_id: UUID, staged: Staged) -> None:
        """Send staged content; the store compares its checksum, and shows the object whole or not at all.

        Raises:
            ActivityError: ARTIFACTS_FAILED (recoverable).
        """
        with _told(), staged.path.open("rb") as file:
            self._client.put_object(
                Bucket=self._bucket,
                Key=self._key(instance_id, staged.digest),
                Body=file,
                ContentLength=staged.size,
                ChecksumSHA256=base64.b64encode(bytes.fromhex(staged.digest)).decode(),
            )

    def open(self, instance_id: UUID, digest: str) -> _Body:
        """Open content for reading.

        Raises:
            ActivityError: ARTIFACT_NOT_FOUND, ARTIFACTS_FAILED.
        """
        with _told():
            answer = self._client.get_object(Bucket=self._bucket, Key=self._key(instance_id, digest))
        return _Body(answer["Body"])

    def remove_all(self, instance_id: UUID) -> None:
        """Remove all content of an instance; none is no error.

        Raises:
            ActivityError: ARTIFACTS_FAILED.
        """
        with _told():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._folder(instance_id)
            )
            for page in pages:
                keys = [{"Key": found["Key"]} for found in page.get("Contents", ())]
                if not keys:
                    continue
                answer = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": keys, "Quiet": True})
                if answer.get("Errors"):
                    raise _failed(f"{len(answer['Errors'])} objects were not deleted")

    def problem(self) -> str | None:
        """Why the bucket cannot be used now, ``None`` if it answers. Whether it can be written to is not tried."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client.head_bucket(Bucket=self._bucket)
        except (BotoCoreError, ClientError) as error:
            return _reason(error)
        return None

    def __str__(self) -> str:
        return f"{SCHEME}://{self._bucket}/{self._prefix}"

    def _folder(self, instance_id: UUID) -> str:
        return f"{self._prefix}{UUID(str(instance_id))}/"

    def _key(self, instance_id: UUID, digest: str) -> str:
        if not references.is_digest(digest):
            raise missing()
        return self._folder(instance_id) + digest


class _Body:
    """An object's content on its way."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def read(self, size: int, /) -> bytes:
        with _told():
            return bytes(self._body.read(size))

    def close(self) -> None:
        self._body.close()


@functools.lru_cache(maxsize=4)
def client(endpoint: str | None, process: int) -> Any:
    """The process's client of a store: a forked child must not speak on its parent's connections.

    Raises:
        ActivityError: ARTIFACTS_NOT_ALLOWED if boto3 is not installed.
    """
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise refusal("ARTIFACTS_NOT_ALLOWED", "Artifacts in S3 need boto3: install requirements-s3.txt.") from None
    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        region_name=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": 3, "mode": "standard"},
            s3={"addressing_style": "path"} if endpoint else {},
            # Whoever reads compares the SHA-256; the client need not compute another checksum.
            response_checksum_validation="when_required",
        ),
    )


@contextmanager
def _told() -> Iterator[None]:
    """Turn the store's errors into an activity's; none of them names a key or a host."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        if _reason(error) in _ABSENT:
            raise missing() from None
        raise _failed(_reason(error)) from error
    except (BotoCoreError, OSError) as error:
        raise _failed(_reason(error)) from error


def _reason(error: Exception) -> str:
    """The store's own code of an error, or the error's kind."""
    answer = getattr(error, "response", None) or {}
    return str(answer.get("Error", {}).get("Code") or type(error).__name__)


def _failed(reason: str) -> Exception:
    return refusal("ARTIFACTS_FAILED", f"The store of artifacts cannot be used: {reason}.", recoverable=True)
