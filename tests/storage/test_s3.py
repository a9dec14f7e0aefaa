"""What is particular to S3: parts, broken connections, unfinished uploads, servers that say no."""

import io
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore.response import StreamingBody

from speakr.storage.base import BlobMissing, StorageFull, StorageUnavailable, new_key
from speakr.storage.s3 import PART_BYTES, S3Storage

MIB = 1024 * 1024


@contextmanager
def watching(client):
    """Note the calls a client makes, by operation."""
    calls = []

    def note(model, **_):
        calls.append(model.name)

    client.meta.events.register("before-call.s3", note)
    try:
        yield calls
    finally:
        client.meta.events.unregister("before-call.s3", note)


def put(storage, key, data):
    sink = storage.create(key)
    sink.write(data)
    sink.commit()


def test_a_small_blob_is_one_put(s3_storage):
    with watching(s3_storage.client) as calls:
        put(s3_storage, new_key("audio"), bytes(PART_BYTES - 1))
    assert calls == ["PutObject"]


def test_a_large_blob_is_sent_in_parts_while_it_comes_in(s3_storage):
    with watching(s3_storage.client) as calls:
        sink = s3_storage.create(new_key("audio"))
        for _ in range(9):
            sink.write(bytes(2 * MIB))
        assert calls == ["CreateMultipartUpload", "UploadPart", "UploadPart"]
        sink.commit()
    assert calls[3:] == ["UploadPart", "CompleteMultipartUpload"]


def unfinished(storage):
    return storage.client.list_multipart_uploads(Bucket=storage._bucket, Prefix=storage._prefix).get(
        "Uploads", []
    )


def test_abort_ends_the_multipart_upload(s3_storage):
    sink = s3_storage.create(new_key("audio"))
    sink.write(bytes(9 * MIB))
    assert len(unfinished(s3_storage)) == 1
    sink.abort()
    assert unfinished(s3_storage) == []


def test_uploads_left_behind_by_dead_processes_are_swept(s3_storage):
    s3_storage.create(new_key("audio")).write(bytes(9 * MIB))  # and no client ever completes it
    assert s3_storage.sweep_partial(100 * 365 * 86_400) == 0  # the test server dates every upload to 2010
    assert s3_storage.sweep_partial(0) == 1
    assert unfinished(s3_storage) == []


def test_blobs_are_below_the_prefix_and_others_are_not_listed(s3_storage):
    key, client, bucket = new_key("audio"), s3_storage.client, s3_storage._bucket
    put(s3_storage, key, b"ours")
    for name in (s3_storage._prefix + "README", "elsewhere/" + key, key):
        client.put_object(Bucket=bucket, Key=name, Body=b"theirs")
    assert [found for found, _ in s3_storage.keys("")] == [key]
    assert client.get_object(Bucket=bucket, Key=s3_storage._prefix + key)["Body"].read() == b"ours"


def test_reading_on_costs_one_request_and_a_seek_one_more(s3_storage):
    key = new_key("audio")
    put(s3_storage, key, bytes(3 * MIB))
    with watching(s3_storage.client) as calls, s3_storage.open(key) as blob:
        while blob.read(100_000):
            pass
        assert calls == ["HeadObject", "GetObject"]
        blob.seek(5)
        blob.read(10)
        assert calls == ["HeadObject", "GetObject", "GetObject"]


def test_an_empty_blob_is_read_without_asking_for_a_range(s3_storage):
    key = new_key("audio")
    put(s3_storage, key, b"")
    with s3_storage.open(key) as blob:
        assert blob.read() == b""


class Breaking(io.BytesIO):
    """A connection that ends after some bytes."""

    def __init__(self, data, after):
        super().__init__(data)
        self.after = after

    def read(self, size=-1):
        if self.tell() >= self.after:
            raise OSError("connection reset")
        return super().read(min(size, self.after - self.tell()))


def test_a_connection_that_breaks_is_taken_up_where_it_broke(s3_storage, monkeypatch):
    key, data = new_key("audio"), bytes(range(256)) * 4000
    put(s3_storage, key, data)
    whole = s3_storage.client.get_object

    def breaking(**request):
        answer = whole(**request)
        with answer["Body"] as body:
            rest = body.read()
        return {"Body": StreamingBody(Breaking(rest, 300_000), len(rest))}

    monkeypatch.setattr(s3_storage.client, "get_object", breaking)
    with s3_storage.open(key) as blob:
        assert blob.read() == data


def test_a_connection_that_only_breaks_is_given_up(s3_storage, monkeypatch):
    key = new_key("audio")
    put(s3_storage, key, b"data")
    asked = []

    def broken(**request):
        asked.append(request["Range"])
        return {"Body": StreamingBody(Breaking(b"data", 0), 4)}

    monkeypatch.setattr(s3_storage.client, "get_object", broken)
    with s3_storage.open(key) as blob, pytest.raises(StorageUnavailable):
        blob.read()
    assert asked == ["bytes=0-3"] * 3


def test_a_blob_deleted_while_it_is_read_is_missing(s3_storage):
    key = new_key("audio")
    put(s3_storage, key, bytes(MIB))
    with s3_storage.open(key) as blob:
        s3_storage.delete(key)
        with pytest.raises(BlobMissing):
            blob.read()


def test_a_missing_bucket_is_not_a_missing_blob(s3_url, s3_credentials):
    storage = S3Storage("no-such-bucket", "", s3_url)
    with pytest.raises(StorageUnavailable):
        storage.check()
    with pytest.raises(StorageUnavailable):
        put(storage, new_key("audio"), b"x")
    storage.client.close()


def test_an_unavailable_server_gives_a_clear_message(s3_credentials):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        storage = S3Storage("bucket", "", f"http://127.0.0.1:{port}")
        with pytest.raises(StorageUnavailable) as failure:
            storage.stat(new_key("audio"))
    assert failure.value.message == "The storage cannot be used now."
    storage.client.close()


class NoRoom(BaseHTTPRequestHandler):
    """An S3 server whose disk is full."""

    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = b"<Error><Code>XMinioStorageFull</Code><Message>full</Message></Error>"
        self.send_response(507)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


def test_a_server_without_room_is_a_full_storage(s3_credentials):
    with ThreadingHTTPServer(("127.0.0.1", 0), NoRoom) as server:
        threading.Thread(target=server.serve_forever).start()
        storage = S3Storage("bucket", "", f"http://127.0.0.1:{server.server_address[1]}")
        with pytest.raises(StorageFull):
            put(storage, new_key("audio"), b"x")
        storage.client.close()
        server.shutdown()


def test_a_full_scratch_folder_is_a_full_storage(s3_storage, monkeypatch, tmp_path):
    key = new_key("audio")
    put(s3_storage, key, b"data")

    def fail(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("speakr.storage.s3.shutil.copyfileobj", fail)
    s3_storage._scratch_dir = str(tmp_path)
    with pytest.raises(StorageFull), s3_storage.local_path(key):
        pass
    assert list(tmp_path.iterdir()) == []
