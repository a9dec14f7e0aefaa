"""From the setting to the backend."""

import subprocess
import sys
from pathlib import Path

import pytest

import speakr
from speakr.settings import Settings, SettingsError
from speakr.storage import STORAGES, make_storage
from speakr.storage.base import StorageFull, new_key
from speakr.storage.local import LocalStorage
from speakr.storage.memory import MemoryStorage

PROJECT = Path(speakr.__file__).parents[1]


def settings(tmp_path, **values):
    return Settings(secret_key="x" * 32, data_dir=tmp_path / "data", **values)


def where(storage):
    assert isinstance(storage, LocalStorage)
    return storage._root


def test_without_a_setting_blobs_live_in_the_data_folder(tmp_path):
    assert where(make_storage(settings(tmp_path))) == tmp_path / "data" / "blobs"


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_folder(tmp_path, scheme):
    storage = make_storage(settings(tmp_path, storage_url=f"{scheme}{tmp_path}/else where"))
    assert where(storage) == tmp_path / "else where"
    assert not where(storage).exists()


def test_the_reserve_is_the_setting_in_mebibytes(tmp_path):
    storage = make_storage(settings(tmp_path, min_free_disk_mb=1 << 40))
    with pytest.raises(StorageFull):
        storage.create(new_key("audio"))


def test_memory(tmp_path):
    assert isinstance(make_storage(settings(tmp_path, storage_url="memory://")), MemoryStorage)


def test_s3(tmp_path, s3_url, s3_credentials):
    chosen = settings(tmp_path, storage_url="s3://bucket/some/prefix/", s3_endpoint_url=s3_url)
    storage = make_storage(chosen)
    storage.client.create_bucket(Bucket="bucket")
    sink = storage.create(key := new_key("audio"))
    sink.write(b"data")
    sink.commit()
    assert storage.client.head_object(Bucket="bucket", Key=f"some/prefix/{key}")["ContentLength"] == 4
    storage.client.close()


@pytest.mark.parametrize("url", ["gs://bucket", "http://example.com/x", "s3://", "s3:///prefix"])
def test_other_urls_stop_the_start(tmp_path, url):
    with pytest.raises(SettingsError, match="SPEAKR_STORAGE_URL"):
        make_storage(settings(tmp_path, storage_url=url))


def test_every_backend_is_registered():
    assert set(STORAGES) == {"file", "s3", "memory"}


def test_boto3_is_loaded_only_for_s3(tmp_path):
    script = """
import sys
from pathlib import Path
from speakr.settings import Settings
from speakr.storage import make_storage
make_storage(Settings(secret_key="x" * 32, data_dir=Path(sys.argv[1])))
print(sorted({"boto3", "botocore"} & set(sys.modules)))
make_storage(Settings(secret_key="x" * 32, storage_url="s3://bucket"))
print(sorted({"boto3", "botocore"} & set(sys.modules)))
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "['boto3', 'botocore']"]
