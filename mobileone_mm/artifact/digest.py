"""One SHA-256 over all of an exported file that decides what it gives: whether it is still what its export wrote.

It is taken over what a protobuf message holds, field by field, not over its bytes, which another version of protobuf
may write otherwise. It tells damage; whoever means to deceive computes it again.
"""

import hashlib
import json
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from mobileone_mm.artifact.card import KEY_PREFIX, SHA256, require_format, value_of
from mobileone_mm.errors import ExportError

NAME = 'sha256'
KEY = f'{KEY_PREFIX}{NAME}'  # of its entry in the metadata
COVERED = (KEY_PREFIX, 'com.apple.')  # how the names of entries begin that are read here, or by Apple's tools
SHOWN = 12  # characters of a digest in a message


def digest_of(message: Any, metadata: Iterable[tuple[str, str]], files: Mapping[str, str] | None = None) -> str:
    """The digest of an exported file, in hexadecimal.

    Args:
        message: its protobuf message, without its metadata and what else may be changed.
        metadata: the entries of the metadata; those that nobody reads are left out, as the digest itself is.
        files: the SHA-256 of what belongs to it beside the message, by name.
    """
    digest = hashlib.sha256()
    for part in _canonical(message):
        digest.update(part)
    covered = sorted([key, value] for key, value in metadata if key.startswith(COVERED) and key != KEY)
    digest.update(json.dumps([covered, sorted((files or {}).items())]).encode())
    return digest.hexdigest()


def known_copy(message: Any) -> Any:
    """A copy of a protobuf message, which has to hold nothing that its library does not know: another reader might.

    Raises:
        ExportError: it does.
    """
    copy = type(message)()
    copy.CopyFrom(message)
    copy.DiscardUnknownFields()
    if copy.ByteSize() != message.ByteSize():
        raise ExportError('it has fields that are not known here: it is damaged, or a newer version wrote it')
    return copy


def entry(digest: str) -> dict[str, str]:
    """The digest as an entry of the metadata."""
    return {KEY: json.dumps(digest)}


def require_unchanged(metadata: Mapping[str, str], found: Callable[[], str]) -> None:
    """Refuse a file that is not what its export wrote; one without any entry of ours is somebody else's, and is taken.

    Args:
        metadata: of the file.
        found: computes its digest.

    Raises:
        ExportError: it was changed, holds no digest, or another version wrote it.
    """
    if not any(key.startswith(KEY_PREFIX) for key in metadata):
        return
    require_format(metadata)
    expected, digest = value_of(metadata, NAME, SHA256), found()
    if digest != expected:
        raise ExportError(
            f'it was changed or damaged since its export wrote it (sha256 {digest[:SHOWN]}, expected '
            f'{expected[:SHOWN]}); export it again, or get it again from where it comes from'
        )


def within(message: Any, kind: str) -> Iterator[Any]:
    """All messages of a type, by its name, that a protobuf message holds."""
    if message.DESCRIPTOR.name == kind:
        yield message
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            value = [item for item in value.values() if hasattr(item, 'ListFields')]
        for inner in [value] if hasattr(value, 'ListFields') else value:
            yield from within(inner, kind)


def _canonical(message: Any) -> Iterator[bytes]:
    """What a message holds, in the one way that is the same for the same content: by number of field, maps by key."""
    yield b'{'
    for field, value in message.ListFields():
        yield b'%d=' % field.number
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            for key in sorted(value):
                yield from _value(key)
                yield from _value(value[key])
        elif isinstance(value, bytes | str | bool | int | float) or hasattr(value, 'ListFields'):
            yield from _value(value)
        else:
            yield b'[%d:' % len(value)
            for item in value:
                yield from _value(item)
        yield b';'
    yield b'}'


def _value(value: Any) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield b'b%d:' % len(value)
        yield value
    elif isinstance(value, str):
        text = value.encode()
        yield b's%d:%b' % (len(text), text)
    elif isinstance(value, float):
        yield b'f' + struct.pack('>d', value)
    elif isinstance(value, int):  # a boolean too
        yield b'i%d,' % value
    else:
        yield from _canonical(value)
