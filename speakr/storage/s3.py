"""Blobs in an S3 bucket, or in any server that speaks S3."""

from __future__ import annotations

import io
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.response import StreamingBody
from urllib3.exceptions import HTTPError

from speakr.domain.clock import now
from speakr.offload import run_cpu
from speakr.storage.base import (
    CHUNK_BYTES,
    BlobInfo,
    BlobMissing,
    Part,
    StorageFull,
    StorageUnavailable,
    new_key,
)
from speakr.storage.keys import checked_key, checked_prefix, is_key
from speakr.storage.s3_appender import MIN_PART_BYTES, S3Appender

PART_BYTES = 8 * 1024 * 1024
_READ_ATTEMPTS = 3
_MISSING = frozenset({"404", "NoSuchKey"})
_UPLOAD_GONE = frozenset({*_MISSING, "NoSuchUpload"})
_NO_ROOM = frozenset({"XMinioStorageFull", "QuotaExceeded", "InsufficientStorage", "InsufficientCapacity"})
_INSUFFICIENT_STORAGE = 507

_client_lock = threading.Lock()  # making boto3 clients is not safe between threads; using them is


class S3Storage:
    """Blobs in `bucket`, below `prefix`. Credentials and region are found as boto3 finds them."""

    def __init__(
        self, bucket: str, prefix: str, endpoint_url: str | None, *, scratch_dir: str | None = None
    ) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._endpoint_url = endpoint_url or None
        self._scratch_dir = scratch_dir or None

    @cached_property
    def client(self) -> Any:
        """The boto3 client, made when it is first needed."""
        config = Config(
            connect_timeout=5,
            read_timeout=60,
            max_pool_connections=50,
            retries={"mode": "standard", "max_attempts": 4},
            # Other servers than AWS do not know the newer checksum trailers, nor a host name per bucket.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path" if self._endpoint_url else "auto"},
        )

        def make() -> Any:
            with _typed_errors():
                return boto3.session.Session().client("s3", endpoint_url=self._endpoint_url, config=config)

        with _client_lock:
            return run_cpu(make)  # reading the description of the API takes a fifth of a second

    def create(self, key: str) -> S3Sink:
        """Begin to write a blob; nothing is sent before the first part is full."""
        return S3Sink(self.client, self._address(key))

    def open(self, key: str) -> BinaryIO:
        """Open a blob for reading; bytes are fetched as they are read. Raises `BlobMissing`."""
        info = self.stat(key)
        if info is None:
            raise BlobMissing(key)
        return io.BufferedReader(_S3Reader(self.client, self._address(key), info.size_bytes), CHUNK_BYTES)

    def stat(self, key: str) -> BlobInfo | None:
        """Describe a blob, or None when there is none."""
        address = self._address(key)
        try:
            with _typed_errors():
                found = self.client.head_object(**address)
        except BlobMissing:
            return None
        return BlobInfo(found["ContentLength"], found["LastModified"])

    def delete(self, key: str) -> None:
        """Remove a blob; nothing happens when there is none."""
        address = self._address(key)
        with suppress(BlobMissing), _typed_errors():
            self.client.delete_object(**address)

    def append(self, parts: Sequence[Part]) -> S3Appender:
        """Go on with a file; a last part that is too small to be joined is fetched again. Raises `BlobMissing`."""
        tail = b""
        if parts and parts[-1].size_bytes < MIN_PART_BYTES:
            with self.open(parts[-1].key) as blob:
                tail = blob.read()
        return S3Appender(self.put, parts, tail)

    def put(self, key: str, data: bytes) -> None:
        """Store a small blob in one request. Raises `StorageFull`, `StorageUnavailable`."""
        with _typed_errors():
            self.client.put_object(**self._address(key), Body=data)

    def join(self, parts: Sequence[Part]) -> str:
        """Have the server copy the parts behind each other. Raises `BlobMissing`, `StorageFull`."""
        if len(parts) == 1:
            return parts[0].key
        key = new_key("audio")
        address = self._address(key)
        with _typed_errors():
            upload_id = self.client.create_multipart_upload(**address)["UploadId"]
            try:
                joined = [
                    self._copy_part(address, upload_id, number, part)
                    for number, part in enumerate(parts, start=1)
                ]
                self.client.complete_multipart_upload(
                    **address, UploadId=upload_id, MultipartUpload={"Parts": joined}
                )
            except BaseException:
                with suppress(ClientError, BotoCoreError):
                    self.client.abort_multipart_upload(**address, UploadId=upload_id)
                raise
        return key

    def _copy_part(
        self, address: Mapping[str, str], upload_id: str, number: int, part: Part
    ) -> dict[str, Any]:
        copied = self.client.upload_part_copy(
            **address, UploadId=upload_id, PartNumber=number, CopySource=self._address(part.key)
        )
        return {"ETag": copied["CopyPartResult"]["ETag"], "PartNumber": number}

    @contextmanager
    def local_path(self, key: str) -> Iterator[Path]:
        """Provide the blob as a temporary copy. Raises `BlobMissing`, `StorageFull`."""
        with (
            self.open(key) as source,
            tempfile.TemporaryDirectory(prefix="speakr-", dir=self._scratch_dir) as folder,
        ):
            path = Path(folder) / "blob"
            try:
                with path.open("xb") as copy:
                    shutil.copyfileobj(source, copy, CHUNK_BYTES)
            except OSError as error:
                raise StorageFull("There is no room for a local copy.") from error
            yield path

    def keys(self, prefix: str) -> Iterator[tuple[str, BlobInfo]]:
        """List the blobs under a prefix; objects that are not ours are passed over."""
        prefix = checked_prefix(prefix)
        wanted = self._prefix + (f"{prefix}/" if prefix else "")
        with _typed_errors():
            for page in self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=wanted
            ):
                for found in page.get("Contents", ()):
                    key = found["Key"].removeprefix(self._prefix)
                    if is_key(key):
                        yield key, BlobInfo(found["Size"], found["LastModified"])

    def free_bytes(self) -> int | None:
        """Return None: a bucket has no limit of its own."""
        return None

    def check(self) -> None:
        """Start and abort an upload: this needs the right to write and leaves no version behind."""
        address = self._address(new_key("check"))
        with _typed_errors():
            upload_id = self.client.create_multipart_upload(**address)["UploadId"]
            self.client.abort_multipart_upload(**address, UploadId=upload_id)

    def sweep_partial(
        self, older_than_seconds: float, *, at_most: int | None = None, dry_run: bool = False
    ) -> int:
        """Abort unfinished multipart uploads, which cost money; the age counts from their start."""
        removed = 0
        oldest = now() - timedelta(seconds=older_than_seconds)
        for upload in self._unfinished():
            if removed == at_most:
                break
            if is_key(upload["Key"].removeprefix(self._prefix)) and upload["Initiated"] <= oldest:
                removed += dry_run or self._abort(upload)
        return removed

    def _unfinished(self) -> Iterator[Mapping[str, Any]]:
        with _typed_errors():
            for page in self.client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self._bucket, Prefix=self._prefix
            ):
                yield from page.get("Uploads", ())

    def _abort(self, upload: Mapping[str, Any]) -> bool:
        """Abort an upload; return False when it was finished or aborted meanwhile."""
        with _typed_errors():
            try:
                self.client.abort_multipart_upload(
                    Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                )
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in _UPLOAD_GONE:
                    return False
                raise
        return True

    def _address(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + checked_key(key)}


class S3Sink:
    """A blob being sent: one PUT when it fits into a part, otherwise a multipart upload."""

    def __init__(self, client: Any, address: dict[str, str]) -> None:
        self._client = client
        self._address = address
        self._buffer = bytearray()
        self._upload_id: str | None = None
        self._parts: list[dict[str, Any]] = []
        self._is_open = True

    def write(self, data: bytes) -> int:
        """Append bytes; every 8 MiB a part is sent. Raises `StorageFull`, `StorageUnavailable`."""
        self._require_open()
        self._buffer += data
        with self._aborting_on_error():
            while len(self._buffer) >= PART_BYTES:
                with memoryview(self._buffer) as view:
                    part = bytes(view[:PART_BYTES])
                del self._buffer[:PART_BYTES]
                self._send_part(part)
        return len(data)

    def commit(self) -> None:
        """Make the blob visible. Raises `StorageFull`, `StorageUnavailable`."""
        self._require_open()
        with self._aborting_on_error():
            if self._upload_id is None:
                self._client.put_object(**self._address, Body=bytes(self._buffer))
            else:
                if self._buffer:
                    self._send_part(bytes(self._buffer))
                self._client.complete_multipart_upload(
                    **self._address, UploadId=self._upload_id, MultipartUpload={"Parts": self._parts}
                )
        self._close()

    def abort(self) -> None:
        """Forget everything sent; after `commit` or a first `abort` nothing happens."""
        if self._is_open and self._upload_id is not None:
            # What cannot be aborted now, because the server is away, `sweep_partial` aborts later.
            with suppress(ClientError, BotoCoreError):
                self._client.abort_multipart_upload(**self._address, UploadId=self._upload_id)
        self._close()

    def _send_part(self, data: bytes) -> None:
        if self._upload_id is None:
            self._upload_id = self._client.create_multipart_upload(**self._address)["UploadId"]
        number = len(self._parts) + 1
        answer = self._client.upload_part(
            **self._address, UploadId=self._upload_id, PartNumber=number, Body=data
        )
        self._parts.append({"ETag": answer["ETag"], "PartNumber": number})

    def _require_open(self) -> None:
        if not self._is_open:
            raise ValueError("this blob is finished")

    def _close(self) -> None:
        self._is_open = False
        self._buffer = bytearray()

    @contextmanager
    def _aborting_on_error(self) -> Iterator[None]:
        try:
            with _typed_errors():
                yield
        except BaseException:
            self.abort()
            raise


class _S3Reader(io.RawIOBase):
    """A seekable stream over one object: one ranged GET, opened again after a seek or a broken connection."""

    def __init__(self, client: Any, address: dict[str, str], size_bytes: int) -> None:
        self._client = client
        self._address = address
        self._size_bytes = size_bytes
        self._position = 0
        self._body: StreamingBody | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size_bytes}[whence]
        if base + offset < 0:
            raise ValueError("negative seek position")
        if base + offset != self._position:
            self._hang_up()
            self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._size_bytes - self._position)
        if wanted <= 0:
            return 0
        data = self._read(wanted)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        self._hang_up()
        super().close()

    def _read(self, count: int) -> bytes:
        """Return 1 to `count` bytes. boto3 repeats requests but not broken bodies, so that happens here."""
        for _ in range(_READ_ATTEMPTS):
            with _typed_errors():
                if self._body is None:
                    self._body = self._client.get_object(
                        **self._address, Range=f"bytes={self._position}-{self._size_bytes - 1}"
                    )["Body"]
            with suppress(BotoCoreError, HTTPError, OSError):
                data: bytes = self._body.read(count)
                if data:
                    return data
            self._hang_up()
        raise StorageUnavailable("The storage broke off while a recording was read.")

    def _hang_up(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None


@contextmanager
def _typed_errors() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if code in _MISSING:
            raise BlobMissing from error
        if code in _NO_ROOM or status == _INSUFFICIENT_STORAGE:
            raise StorageFull("The storage is full.") from error
        raise StorageUnavailable("The storage cannot be used now.") from error
    except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint or region that is not one
        raise StorageUnavailable("The storage cannot be used now.") from error
