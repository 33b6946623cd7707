"""An answer kept as an artifact: unpacked and stored piece by piece, whatever its size, never whole in memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import httpx

from tasks.activities import http_answer
from tasks.activities.http_answer import AnswerUnusable
from workflows_app.activities import ActivityContext
from workflows_app.activities.artifacts import OCTETS
from workflows_app.artifacts import references, store
from workflows_app.artifacts.staging import PIECE, too_large

UNNAMED = "answer"


def save(answer: httpx.Response, url: httpx.URL, context: ActivityContext, secrets: tuple[str, ...]) -> dict[str, Any]:
    """Keep an answer's body.

    Args:
        answer: the answer, its body unread.
        url: where it came from; the last name of its path becomes the artifact's.
        context: the attempt.
        secrets: values that must not come back in headers; the body is kept as it is.

    Returns:
        ``{status, headers, artifact}``.

    Raises:
        ActivityError: ARTIFACT_TOO_LARGE as soon as that is known, the other errors of artifacts; ANSWER_UNUSABLE.
    """
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    declared = answer.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and encoding in ("", "identity"):
        limit = store.max_bytes()
        if len(declared) > 18 or int(declared) > limit:
            raise too_large(limit)
    artifact = context.artifacts.write(
        unpacked(answer.stream, encoding),  # type: ignore[arg-type]
        name=references.printable(url.path.rpartition("/")[2], otherwise=UNNAMED),
        media_type=references.media_type_of(answer.headers.get("content-type", ""), otherwise=OCTETS),
    )
    return {
        "status": answer.status_code,
        "headers": http_answer.headers_of(answer, secrets),
        "artifact": artifact,
    }


def unpacked(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The content of a body, at most some hundred kilobytes at a time.

    Args:
        chunks: the body as it arrives.
        encoding: of the Content-Encoding header, lower case.

    Raises:
        AnswerUnusable: it is packed in a way that was not asked for, or not as it says, or ends too early.
    """
    if encoding in ("", "identity"):
        yield from chunks
        return
    bits = http_answer.window_bits(encoding)
    unpacker, begun = zlib.decompressobj(bits), False
    for chunk in chunks:
        data = chunk
        while data or begun:
            try:
                piece = unpacker.decompress(data, PIECE)
            except zlib.error as error:
                if begun or encoding != "deflate":
                    raise AnswerUnusable(f"The answer says it is packed as {encoding}, but is not: {error}.") from error
                unpacker, begun = zlib.decompressobj(-15), True  # many servers mean RFC 1951 when they say deflate
                continue
            begun, data = True, unpacker.unconsumed_tail
            if piece:
                yield piece
            if not data and len(piece) < PIECE:
                break
    if begun and not unpacker.eof:
        raise AnswerUnusable("The packed answer ends too early.")
